"""One container of a real pod: serves what the fleet serves for a simulated one, told by the same annotations."""
