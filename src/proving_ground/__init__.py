"""Proving Ground: from bare machines to a verdict on a GPU inference platform."""

from __future__ import annotations

__version__ = "0.1.0"
