"""Code that modules of the collection share."""
