"""The suite `load` under faults: each is noticed by the checks that suite.yml names, and by no others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proving_ground.by_url.running import platform_of
from proving_ground.contracts.gates import GATES_FILE, gates_json
from proving_ground.contracts.stages import Stages
from proving_ground.contracts.suite import Suite
from proving_ground.load.measured.timed import timed_server
from proving_ground.load.measured.timed_server import FAULTS
from proving_ground.pipeline.project import load_yaml
from proving_ground.pipeline.proving import limits
from proving_ground.prove.passes import Pass, PassResult, Place, make
from proving_ground.prove.proof import judge

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests/suites/inference/load"
SUITE = load_yaml(FOLDER / "suite.yml", Suite)


def test_every_fault_of_the_suite_is_one_that_the_server_shows() -> None:
    shown = {name for fault, told in SUITE.faults.items() for name in told.shows or [fault]}
    assert shown == set(FAULTS)


def test_a_fault_kills_exactly_its_checks(tmp_path: Path) -> None:
    gates = limits(load_yaml(ROOT / "stages.yml", Stages).stages.values())
    (tmp_path / GATES_FILE).write_text(gates_json(gates))

    async def made() -> list[tuple[Pass, PassResult]]:
        async with timed_server() as url:
            platform = tmp_path / "platform.json"
            platform.write_text(platform_of(url, parameters={"model": "timed"}).model_dump_json())
            place = Place("load", ROOT, platform, tmp_path)
            passes = [Pass(SUITE, FOLDER, name) for name in (None, "errors")]
            return [(one, await make(one, place)) for one in passes]

    (proof,) = judge(asyncio.run(made()), all_faults=False)
    assert not proof.broken
    assert not proof.baseline
    assert [verdict.problems for verdict in proof.verdicts] == [()]
