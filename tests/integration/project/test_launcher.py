"""The launcher: its private environment, and what it refuses. Python, pip and nox are pretended: nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

# Pretends to be Python: "-m venv DIR" makes an environment whose python is this program too, "-m pip install" notes
# what it installs and waits while the file "hold" exists, "-m nox" prints its arguments and ends with 7.
PYTHON = r"""#!/bin/sh
workshop=@WORKSHOP@
case "$1 ${2-}" in
    "-m venv")
        [ -e "$workshop/no-ensurepip" ] && { echo "ensurepip is not available" >&2; exit 1; }
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip")
        [ "$3" = --version ] && exit 1
        for last in "$@"; do :; done
        echo "$(basename "$last") $(grep -c == "$last")" >>"$workshop/installed"
        while [ -e "$workshop/hold" ]; do sleep 0.02; done
        [ ! -e "$workshop/offline" ] || { echo "no index can be reached"; exit 1; } ;;
    "-m nox") shift 2; printf '%s\n' "$@"; exit 7 ;;
    *) exec @PYTHON@ "$@" ;;
esac
"""


class Workshop:
    """A checkout with the launcher in it, and a pretended Python."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkout = directory / "a checkout"
        self.checkout.mkdir()
        for name in ("nox", "requirements.lock"):
            shutil.copy(ROOT / name, self.checkout)
        self.python = directory / "bin" / "python3"
        self.python.parent.mkdir()
        self.python.write_text(PYTHON.replace("@WORKSHOP@", str(directory)).replace("@PYTHON@", sys.executable))
        self.python.chmod(0o755)

    def start(self, *arguments: str, python: str | None = None, path: str = "/usr/bin:/bin") -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", str(self.checkout / "nox"), *arguments],
            env={"PATH": path, "PROVING_GROUND_PYTHON": str(self.python) if python is None else python},
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, python: str | None = None) -> tuple[int, list[str], str]:
        process = self.start(*arguments, python=python)
        out, err = process.communicate(timeout=20)
        return process.returncode, out.splitlines(), err

    def environments(self) -> list[str]:
        return sorted(re.sub("[0-9a-f]{12}.*", "<key>", path.name) for path in (self.checkout / ".nox").iterdir())

    def installed(self) -> list[str]:
        file = self.directory / "installed"
        return file.read_text().splitlines() if file.exists() else []


def eventually(what: Callable[[], object], seen: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true; a wait that ends in vain tells what was last seen."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"last seen: {seen()}"
        time.sleep(0.01)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_nox_gets_all_arguments_and_its_exit_code_is_kept(workshop: Workshop) -> None:
    code, out, _ = workshop.run("-s", "nightly", "--", "--inventory", "a b")
    assert code == 7
    assert out == ["--noxfile", f"{workshop.checkout}/noxfile.py", "-s", "nightly", "--", "--inventory", "a b"]


def test_the_environment_is_made_once_and_that_is_said(workshop: Workshop) -> None:
    first, second = workshop.run("-l"), workshop.run("-l")
    assert first[2] == "nox: making its environment in .nox (first time only)\n"
    assert second[2] == ""
    assert [line.split()[0] for line in workshop.installed()] == ["nox.txt", "uv.txt"]
    assert workshop.environments() == ["launcher-<key>"]


def test_it_installs_everything_that_nox_needs_and_nothing_else() -> None:
    [names] = re.findall(r"(?m)^names='(.*)'$", (ROOT / "nox").read_text())
    needed, todo = set(), ["nox"]
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in needed:
            needed.add(name)
            lines = [Requirement(line) for line in metadata.requires(name) or []]
            todo += [line.name for line in lines if line.marker is None or line.marker.evaluate({"extra": ""})]
    assert set(names.split()) == needed


def test_every_requirement_of_the_launcher_is_pinned_with_hashes_by_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    [names] = re.findall(r"(?m)^names='(.*)'$", (ROOT / "nox").read_text())
    for name in [*names.split(), "uv"]:
        assert re.search(rf"(?m)^{name}==\S+ \\\n    --hash=sha256:", lock), name


def test_another_lock_makes_another_environment_only_where_it_concerns_nox(workshop: Workshop) -> None:
    workshop.run("-l")
    lock = workshop.checkout / "requirements.lock"
    lock.write_text(lock.read_text().replace("\nansible==", "\nansible==99."))
    workshop.run("-l")
    assert len(workshop.environments()) == 1
    lock.write_text(lock.read_text().replace("\nnox==", "\nnox==99."))
    workshop.run("-l")
    assert len(workshop.environments()) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interruption_leaves_no_half_environment(workshop: Workshop, number: signal.Signals) -> None:
    hold = workshop.directory / "hold"
    hold.touch()
    process = workshop.start("-l")
    eventually(workshop.installed, workshop.environments)
    os.killpg(process.pid, number)
    process.communicate(timeout=20)
    assert not [name for name in workshop.environments() if name == "launcher-<key>" and number == signal.SIGTERM]
    hold.unlink()
    code, _, err = workshop.run("-l")
    assert (code, "making its environment" in err) == (7, True)
    assert workshop.environments() == ["launcher-<key>"]


def test_two_calls_at_once_end_in_one_environment(workshop: Workshop) -> None:
    hold = workshop.directory / "hold"
    hold.touch()
    processes = [workshop.start("-l") for _ in range(2)]
    eventually(lambda: len(workshop.installed()) == 2, workshop.installed)
    hold.unlink()
    for process in processes:
        process.communicate(timeout=20)
    assert [process.returncode for process in processes] == [7, 7]
    assert workshop.environments() == ["launcher-<key>"]


@pytest.mark.parametrize("program", ["uv", "virtualenv"])
def test_without_ensurepip_another_program_makes_the_environment(workshop: Workshop, program: str) -> None:
    (workshop.directory / "no-ensurepip").touch()
    other = workshop.python.with_name(program)
    other.write_text(
        f"#!/bin/sh\necho {program} $1 >>'{workshop.directory}/installed'\n[ \"$1\" = pip ] && exit\n"
        f'for last in "$@"; do :; done\nmkdir -p "$last/bin"\ncp "{workshop.python}" "$last/bin/python"\n'
    )
    other.chmod(0o755)
    process = workshop.start("-l", path=f"{workshop.python.parent}:/usr/bin:/bin")
    process.communicate(timeout=20)
    assert process.returncode == 7
    assert workshop.installed()[0].startswith(program)


def test_without_any_way_to_make_an_environment_the_line_says_what_to_install(workshop: Workshop) -> None:
    (workshop.directory / "no-ensurepip").touch()
    code, _, err = workshop.run("-l")
    assert code == 2
    assert "has no ensurepip, and there is no uv and no virtualenv (install one of them" in err
    assert workshop.environments() == []


def test_an_index_that_cannot_be_reached_is_told_with_its_reason(workshop: Workshop) -> None:
    (workshop.directory / "offline").touch()
    code, _, err = workshop.run("-l")
    assert code == 2
    assert "no index can be reached\nnox: cannot install nox from the Python package index" in err
    assert workshop.environments() == []


def test_a_python_that_is_too_old_is_refused_with_what_was_found(workshop: Workshop, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "Python 3.9.2"; exit; }\nexit 1\n')
    old.chmod(0o755)
    code, _, err = workshop.run("-l", python=str(old))
    assert code == 3
    assert err.startswith("nox: expected Python 3.11 or newer, found Python 3.9.2 (install it")


def test_a_machine_without_python_is_told_so(workshop: Workshop) -> None:
    code, _, err = workshop.run("-l", python="no-such-python")
    assert code == 3
    assert "expected Python 3.11 or newer, found" in err


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["-s", "nightly", "--inventory", "x"], "./nox -s nightly -- --inventory x"),
        (["-s", "nightly", "--keep", "--only", "aim"], "./nox -s nightly -- --keep --only aim"),
        (["-s", "weekly", "--run-id=1", "--", "-x"], "./nox -s weekly -- --run-id=1 -- -x"),
    ],
)
def test_a_forgotten_separator_ends_with_3_and_says_what_to_write(
    workshop: Workshop, arguments: list[str], advice: str
) -> None:
    code, _, err = workshop.run(*arguments)
    assert code == 3
    assert err.rstrip().endswith(f"is an option of the stage, not of nox: write  {advice}")
    assert err.count("\n") == 1


def test_the_launcher_knows_every_option_of_a_stage() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "proving_ground", "run", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"(?m)^\s+(--[a-z-]+)", help_text)) - {"--help"}
    assert sorted(option for option in options if f" {option} |" not in (ROOT / "nox").read_text()) == []
