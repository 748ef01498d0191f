"""What a mock answers to one request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"
METRICS = b"text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, version 0.0.4."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, content type and body of an HTTP answer."""

    status: int
    content_type: bytes
    body: bytes

    @classmethod
    def text(cls, text: str, status: int = 200) -> Answer:
        """Answer with plain text."""
        return cls(status, TEXT, text.encode("utf-8", "backslashreplace"))

    @classmethod
    def json(cls, document: Any, status: int = 200) -> Answer:
        """Answer with a JSON document."""
        return cls(status, JSON, json.dumps(document, allow_nan=False).encode())

    @classmethod
    def metrics(cls, text: str) -> Answer:
        """Answer with metrics in the text format."""
        return cls(200, METRICS, text.encode())
