"""Defaults, argument specifications and documentation of the roles say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))


# The scenario `default` makes the hosts of others.
SCENARIOS = sorted(path.parent for path in ROOT.glob("molecule/*/molecule.yml") if path.parent.name != "default")


def covered(folder: Path) -> list[str]:
    """Return the roles that a scenario is for: those of its lines `# covers:`, or that of its name."""
    lines = re.findall(r"^# covers: (.+)$", (folder / "molecule.yml").read_text(), re.MULTILINE)
    return [name for line in lines for name in re.findall(r"\w+", line)] or [folder.name]


def uses(playbook: Path, role: str) -> bool:
    return bool(re.search(rf"^\s+name: proving\.ground\.{role}$", playbook.read_text(), re.MULTILINE))


def entry_points(role: Path) -> dict[str, Any]:
    file = role / "meta" / "argument_specs.yml"
    return dict(yaml.safe_load(file.read_text())["argument_specs"]) if file.exists() else {}


def options(role: Path) -> dict[str, Any]:
    return {name: spec for entry in entry_points(role).values() for name, spec in entry.get("options", {}).items()}


def defaults(role: Path) -> dict[str, Any]:
    file = role / "defaults" / "main.yml"
    return dict(yaml.safe_load(file.read_text()) or {}) if file.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_has_an_argument_specification_of_its_main_entry_point(self, role: Path) -> None:
        assert "main" in entry_points(role)

    def test_specifies_every_default(self, role: Path) -> None:
        assert sorted(set(defaults(role)) - set(options(role))) == []

    def test_has_a_default_for_every_option_that_is_not_required(self, role: Path) -> None:
        optional = {name for name, spec in options(role).items() if not spec.get("required")}
        assert sorted(optional - set(defaults(role))) == []

    def test_requires_no_option_that_has_a_default(self, role: Path) -> None:
        required = {name for name, spec in options(role).items() if spec.get("required")}
        assert sorted(required & set(defaults(role))) == []

    def test_specifies_the_same_defaults_as_it_has(self, role: Path) -> None:
        # A default with a template cannot be said in a specification; what is said must be so.
        said = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
        assert said == {name: value for name, value in defaults(role).items() if name in said}

    def test_names_its_variables_after_itself(self, role: Path) -> None:
        strangers = [name for name in options(role) if not name.startswith((f"{role.name}_", "proving_ground_"))]
        assert strangers == []

    def test_describes_every_option(self, role: Path) -> None:
        assert [name for name, spec in options(role).items() if not spec.get("description")] == []

    def test_comments_its_defaults_block_by_block(self, role: Path) -> None:
        file = role / "defaults" / "main.yml"
        text = file.read_text().removeprefix("---\n") if file.exists() else ""
        blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block]
        assert [block for block in blocks if not block.startswith(("#", " "))] == []

    def test_has_one_entry_point_for_each_task_file_that_others_include(self, role: Path) -> None:
        named = re.compile(rf"name: (?:proving\.ground\.)?{role.name}\s+tasks_from: (\S+)")
        files = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("molecule/*/*.yml")]
        used = {match.removesuffix(".yml") for file in files for match in named.findall(file.read_text())}
        assert sorted(used - set(entry_points(role))) == []

    def test_has_a_readme_that_names_every_option(self, role: Path) -> None:
        readme = role / "README.md"
        assert readme.is_file()
        assert [name for name in options(role) if f"`{name}`" not in readme.read_text()] == []

    def test_has_a_molecule_scenario_that_converges_it_or_cleans_up_with_it(self, role: Path) -> None:
        folders = [folder for folder in SCENARIOS if role.name in covered(folder)]
        assert folders != []
        for folder in folders:
            playbooks = [file for name in ("converge", "cleanup") if (file := folder / f"{name}.yml").exists()]
            assert any(uses(file, role.name) for file in playbooks)


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_a_scenario_is_for_roles_that_there_are(folder: Path) -> None:
    assert [name for name in covered(folder) if not (ROOT / "roles" / name).is_dir()] == []
