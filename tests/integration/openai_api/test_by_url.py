"""The verb `test` with only some of the checks, as a process."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from proving_ground.fleet.alone import server_alone


def called(*words: str) -> subprocess.CompletedProcess[str]:
    async def scenario() -> subprocess.CompletedProcess[str]:
        async with server_alone("m") as url:
            command = [sys.executable, "-m", "proving_ground", "test", "--url", url, *words]
            return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    return asyncio.run(scenario())


def test_suites_without_a_wanted_check_are_left_out() -> None:
    done = called("--suite", "all", "-k", "the_model_is_listed")
    assert done.returncode == 0, done.stderr
    assert "1 passed, 0 failed, 0 errors, 0 skipped" in done.stdout
    assert "could not be judged" not in done.stdout
    assert "no check matches" not in done.stderr


def test_where_no_suite_has_one_it_is_a_matter_of_configuration() -> None:
    done = called("--suite", "smoke", "-k", "nothing")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "proving-ground: suite smoke: no check matches -k 'nothing'"


def test_a_wrong_expression_is_told_in_a_line() -> None:
    done = called("--suite", "smoke", "-k", "and and")
    assert done.returncode == 3
    assert "Wrong expression" in done.stderr.splitlines()[-1]
