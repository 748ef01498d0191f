"""Which suites are proved on which inventory."""

from __future__ import annotations

from pathlib import Path

from proving_ground.cli.prove import grouped
from proving_ground.contracts.suite import Suite
from proving_ground.pipeline.project import FoundSuite


def suite(name: str, inventory: str = "sim", *faults: str) -> FoundSuite:
    content = {
        "name": name,
        "description": "A suite.",
        "prove": {"inventory": inventory},
        "faults": {fault: {"description": "A fault.", "must_fail": [f"{name}/x"]} for fault in faults},
    }
    return FoundSuite(Suite.model_validate(content), Path("/suites") / name)


SUITES = (suite("cluster", "lab", "slow-disk"), suite("platform", "sim", "slow"), suite("hosts", "lab", "slow"))


def test_each_suite_is_proved_on_its_own_inventory_and_the_simulated_one_comes_first() -> None:
    assert list(grouped(SUITES, (), None).items()) == [("sim", ("platform",)), ("lab", ("cluster", "hosts"))]


def test_an_inventory_without_a_wanted_suite_is_left_out() -> None:
    assert grouped(SUITES, ("hosts",), None) == {"lab": ("hosts",)}


def test_a_suite_that_does_not_know_the_wanted_fault_is_left_out() -> None:
    assert grouped(SUITES, (), "slow-disk") == {"lab": ("cluster",)}
    assert grouped(SUITES, (), "slow") == {"sim": ("platform",), "lab": ("hosts",)}


def test_a_fault_that_no_suite_knows_is_left_for_the_proof_to_refuse() -> None:
    assert grouped(SUITES, (), "unheard") == grouped(SUITES, (), None)
