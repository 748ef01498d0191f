"""The generated pages of docs/: made from what is true, and checked against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.contracts.published import schemas
from proving_ground.files import write_atomically
from proving_ground.pages.chainsaw import chainsaw_support
from proving_ground.pages.command_line import command_line
from proving_ground.pages.roles import role_readme, roles_index
from proving_ground.pages.stages import stages_table
from proving_ground.pages.suites import suite_page, suites_index
from proving_ground.pipeline.project import load_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.pipeline.project import Project


def pages(project: Project) -> dict[Path, str]:
    """Return every generated page: absolute path -> text."""
    from proving_ground.chainsaw.functions import FUNCTIONS  # noqa: PLC0415 - what the page tells about
    from proving_ground.chainsaw.lookups import CLUSTER_FUNCTIONS  # noqa: PLC0415 - the same
    from proving_ground.chainsaw.support import load_support  # noqa: PLC0415 - the same
    from proving_ground.contracts.stages import Stages  # noqa: PLC0415 - the contract, not its page

    reference = project.root / "docs/reference"
    roles = sorted(path for path in (project.root / "roles").iterdir() if (path / "meta/argument_specs.yml").is_file())
    suites = project.suites()
    made = {reference / "schemas" / name: text for name, text in schemas().items()}
    made[reference / "stages-table.md"] = stages_table(load_yaml(project.root / "stages.yml", Stages))
    made[reference / "command-line.md"] = command_line()
    shown = dict.fromkeys(sorted(FUNCTIONS), "unit/chainsaw/test_functions.py")
    shown |= dict.fromkeys(sorted(CLUSTER_FUNCTIONS), "functions/of-the-cluster")
    made[reference / "chainsaw-support.md"] = chainsaw_support(load_support(), shown)
    made[reference / "roles.md"] = roles_index(roles)
    made |= {role / "README.md": role_readme(role) for role in roles}
    made[reference / "suites.md"] = suites_index(suites)
    folder = reference / "suites"
    made |= {folder / f"{suite.definition.name}.md": suite_page(suite, folder) for suite in suites}
    return made


def stale(project: Project) -> list[Path]:
    """Return the pages on disk that are not what they would be made to be now."""
    return [path for path, text in pages(project).items() if not path.is_file() or path.read_text("utf-8") != text]


def write(project: Project) -> list[Path]:
    """Write the pages that are stale, and return them."""
    made = pages(project)
    changed = [path for path in made if path in set(stale(project))]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, made[path])
    return changed
