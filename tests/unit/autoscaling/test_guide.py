"""The guide says what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from proving_ground import cli
from proving_ground.autoscaling import learning, mocks, scalers, verification, watching, workloads
from proving_ground.contracts.platform import Platform

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "guides/autoscaling.md").read_text(encoding="utf-8")
TROUBLE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "guides/examples/autoscaling_test/tests/suites/autoscaling/scaling/test_queue.py"


def commands(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("proving-ground ")]


def test_the_example_is_shown_as_it_is() -> None:
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```" in GUIDE


@pytest.mark.parametrize("line", sorted({*commands(GUIDE), *commands(TROUBLE)}))
def test_a_command_that_is_shown_is_one(line: str) -> None:
    words = shlex.split(line.replace("$NAMESPACE", "llm-test"))[1:]
    cli.parser(words[0]).parse_args(words)


def test_the_platform_of_a_real_controller_follows_its_contract() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    Platform.model_validate_json(block)


@pytest.mark.parametrize("page", ["guides/autoscaling.md", "troubleshooting.md"])
def test_the_seeds_cases_have_their_sections(page: str) -> None:
    headings = {
        "guides/autoscaling.md": ["On a simulated cluster", "On a real controller", "A new test is one small file"],
        "troubleshooting.md": [
            "The controller does not respond",
            "A scaler does not become ready",
            "Metrics are not collected",
            "Something is left after a test",
        ],
    }
    text = (DOCS / page).read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == headings[page]


def test_every_name_that_the_guide_offers_exists() -> None:
    offered = {
        scalers.Scalers: (
            "apply",
            "setup",
            "setup_mock",
            "wait_ready",
            "wait_condition",
            "wait_desired",
            "wait_status",
            "actual",
            "desired",
            "status",
            "learning",
        ),
        workloads.Workloads: ("wait_for_pod", "wait_for_deployment"),
        mocks.MockControl: ("set", "set_pod", "wait_reconciles"),
        watching.Seen: ("never_above", "never_below", "unchanged", "steps"),
        verification.Autoscaling: ("workload", "scaler", "pod_source", "watched", "desired", "rounds"),
        learning.Learning: ("learner",),
    }
    assert [(kind.__name__, name) for kind, names in offered.items() for name in names if not hasattr(kind, name)] == []
