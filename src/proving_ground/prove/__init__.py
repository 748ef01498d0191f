"""Proves that checks can fail: each suite runs under each of its faults, and what fails is compared."""
