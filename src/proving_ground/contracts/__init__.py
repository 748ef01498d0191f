"""The files that Proving Ground reads and writes, one module each, as pydantic models."""
