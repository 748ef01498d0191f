"""Artifacts on a disk that is full: a small file system in a mount namespace of the run's own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proving_ground.ownership.processes import tagged

if TYPE_CHECKING:
    from conftest import Place

# What the run wrote is shown before the file system goes away with its namespace.
SCRIPT = """
mount -t tmpfs -o size={size} tmpfs {artifacts} || exit 77
{before}
{command}
code=$?
[ "$code" = 0 ] || ls -R {artifacts} | wc -l >&2
exit "$code"
"""


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    program = shutil.which("unshare")
    if program is None:
        pytest.skip("there is no program unshare to mount a small file system with")
    done = subprocess.run(
        [program, "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


def on_a_small_disk(place: Place, size: str, *arguments: str, before: str = "") -> tuple[int, str, str]:
    place.artifacts.mkdir()
    words = [sys.executable, "-m", "proving_ground", "run", "nightly", *place.options("full", *arguments)]
    script = SCRIPT.format(
        size=size, artifacts=shlex.quote(str(place.artifacts)), command=shlex.join(words), before=before
    )
    run = place.start_command("full", ["unshare", "-rm", "sh", "-c", script])
    code = run.ended()
    run.assert_nothing_is_left()
    return code, run.output, str(run.state)


def test_a_disk_that_is_full_from_the_start_is_one_line(place: Place) -> None:
    before = f"head -c 100000000 /dev/zero > {shlex.quote(str(place.artifacts))}/filler 2>/dev/null"
    code, output, _ = on_a_small_disk(place, "64k", before=before)
    assert code == 2, output
    line = output.splitlines()[0]
    assert line.startswith("proving-ground: ")
    assert "No space left on device" in line
    assert "Traceback" not in output


def test_a_disk_that_fills_up_in_verify_ends_with_two_and_leaves_nothing(place: Place) -> None:
    code, output, _ = on_a_small_disk(place, "64k", "--only", "aim")
    assert code == 2, output
    assert "No space left on device" in output
    assert "Traceback" not in output
    assert tagged("full") == []
