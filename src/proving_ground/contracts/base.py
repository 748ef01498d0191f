"""What every file contract shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A model at the edge: unknown fields are refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
