"""Which gates hold while suites are proved."""

from __future__ import annotations

from proving_ground.contracts.gates import AbsoluteGate, RelativeGate
from proving_ground.contracts.stages import Stage
from proving_ground.pipeline.proving import limits

LIMIT = AbsoluteGate(kind="absolute", metric="load/steady/error_rate", at_most=0.05)
OTHER = AbsoluteGate(kind="absolute", metric="load/steady/error_rate", at_most=0.01)
HISTORY = RelativeGate(kind="relative", metric="load/steady/*")


def test_the_limits_of_all_stages_hold_once_each_and_what_needs_a_history_does_not() -> None:
    stages = [
        Stage(description="a", gates=[LIMIT, HISTORY]),
        Stage(description="b"),
        Stage(description="c", gates=[LIMIT, OTHER]),
    ]
    assert limits(stages) == [LIMIT, OTHER]
