"""Verifies an inference server that is named by nothing but its URL."""
