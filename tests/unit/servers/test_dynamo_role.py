"""What the role `dynamo` says and what its command takes are the same, and its stages decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from proving_ground.servers import dynamo

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/dynamo"


def rendered(text: str, **given: Any) -> Any:
    variables: dict[str, Any] = {"ansible_playbook_python": "/usr/bin/python3"}
    for name in ("defaults", "vars"):
        variables |= yaml.safe_load((ROLE / name / "main.yml").read_text())
    trusted = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in variables.items()}
    return Templar(loader=DataLoader(), variables={**trusted, **given}).template(trust_as_template(text))


def test_the_defaults_of_the_role_are_those_of_the_command() -> None:
    words = rendered("{{ __dynamo_options }}", dynamo_directory=".")
    options = dynamo.parser().parse_args([str(word) for word in words])
    assert vars(options) == vars(dynamo.parser().parse_args([]))


def test_the_choices_of_the_role_are_those_of_the_command() -> None:
    spec = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
    assert spec["main"]["options"]["dynamo_router"]["choices"] == list(dynamo.ROUTERS)


@pytest.mark.parametrize(
    ("stages", "stage", "there"),
    [
        (["weekly", "pre_release"], "weekly", True),
        (["weekly", "pre_release"], "nightly", False),
        (["weekly"], "", False),
        ([], "pre_merge", True),
        ([], "", True),
    ],
)
def test_it_is_there_in_its_stages(stages: list[str], stage: str, *, there: bool) -> None:
    assert rendered("{{ __dynamo_wanted }}", dynamo_stages=stages, dynamo_stage=stage) is there


def test_the_inventory_has_it_weekly_and_before_releases() -> None:
    declared = yaml.safe_load((ROOT / "inventories/sim/group_vars/dynamos.yml").read_text())
    assert declared["dynamo_stages"] == yaml.safe_load((ROLE / "defaults/main.yml").read_text())["dynamo_stages"]
    known = yaml.safe_load((ROOT / "stages.yml").read_text())["stages"]
    assert set(declared["dynamo_stages"]) <= set(known)


@pytest.mark.parametrize(
    ("hosts", "stages", "stage", "promised"),
    [
        (["localhost"], ["weekly", "pre_release"], "weekly", True),
        (["localhost"], ["weekly", "pre_release"], "nightly", False),
        (["localhost"], [], "nightly", True),
        (["localhost"], None, "weekly", True),
        (["localhost"], None, "prove", False),
        ([], [], "weekly", False),
    ],
)
def test_the_inventory_promises_it_where_it_is_to_be(
    hosts: list[str], stages: list[str] | None, stage: str, *, promised: bool
) -> None:
    declared = yaml.safe_load((ROOT / "inventories/sim/group_vars/all/main.yml").read_text())
    given = {} if stages is None else {"dynamo_stages": stages}
    text = declared["proving_ground_capabilities"]
    templar = Templar(
        loader=DataLoader(), variables={"groups": {"dynamos": hosts}, "proving_ground_stage": stage, **given}
    )
    assert ("dynamo" in templar.template(trust_as_template(text))) is promised
