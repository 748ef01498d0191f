"""Machines that can have no lab hosts: refused before anything is made, with what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Runs


def refused(runs: Runs, *before: str, **environment: str) -> str:
    """Return the verdict's line of a run that its first phase refuses."""
    run = runs.start("refused", ["cp1"], [], before=before, environment=environment)
    assert run.ended() == 3, run.output
    assert "  create" not in run.output
    assert not run.state.exists(), run.output
    return run.cause.removeprefix("validate: ")


@pytest.fixture
def path_without(tmp_path: Path) -> Callable[..., str]:
    """Return what makes a PATH that has everything of this one but some commands."""

    def make(*commands: str) -> str:
        place = tmp_path / "bin"
        place.mkdir()
        for directory in os.environ["PATH"].split(os.pathsep):
            for file in Path(directory).glob("*"):
                if file.name not in commands and not (place / file.name).exists():
                    (place / file.name).symlink_to(file)
        return str(place)

    return make


def test_who_is_not_root_is_told_to_be(open_runs: Runs) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no program setpriv to be somebody else with")
    # Somebody else, who yet may read what belongs to root: Python, and this project.
    capabilities = "+dac_override,+dac_read_search,+fowner"
    words = (setpriv, "--reuid=65534", f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}")
    cause = refused(open_runs, *words, HOME="/")
    assert cause.startswith("lab hosts need root on this machine, and this is not root; use an inventory without")


def test_a_machine_without_podman_and_without_apt_is_told_what_to_install(
    runs: Runs, path_without: Callable[..., str]
) -> None:
    cause = refused(runs, PATH=path_without("podman", "mmdebstrap", "apt-get"))
    assert cause.startswith(
        "lab hosts need mmdebstrap, podman on this machine; install mmdebstrap podman (task: validate |"
    )


def test_a_machine_whose_root_may_make_no_namespaces_is_told_so(runs: Runs, path_without: Callable[..., str]) -> None:
    cause = refused(runs, PATH=path_without("unshare"))
    assert cause.startswith("lab hosts need namespaces, and this machine does not let root make any (unshare fails)")
