"""A package, so that what its tests share is removed after the last of them."""
