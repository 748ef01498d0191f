"""Hosts: how suites reach them, what is declared of them, what is read of them, and how that is judged."""

from __future__ import annotations
