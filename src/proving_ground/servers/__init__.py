"""Runs inference servers that the project brings: their isolated environments, their models, their processes.

Nothing here needs more than Python's standard library, so that it runs on a host that has only Python, too. What needs
the packages of an isolated environment is a script of that environment and says so.
"""
