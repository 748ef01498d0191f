"""Property-based testing of a server's answers: whatever it is sent, some things must hold.

schemathesis draws requests from schemas, and requests that these do not allow. It runs in an isolated environment,
made when first needed. What came back is judged here, by the schemas and known differences that all checks share.
"""

from __future__ import annotations

from proving_ground.openai_api.fuzzing.judging import Failure
from proving_ground.openai_api.fuzzing.running import Plan, Result, fuzz

__all__ = ["Failure", "Plan", "Result", "fuzz"]
