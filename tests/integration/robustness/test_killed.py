"""SIGKILL: nothing of the run itself can clean up any more."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Place

ENDLESS = ("--only", "aim", "--fault", "never-ready")


def test_clean_removes_what_a_run_killed_in_verify_left(place: Place) -> None:
    run = place.start("killed", *ENDLESS)
    run.reach("check")
    address = run.address
    run.kill()
    assert 6443 in run.listens(address)
    done = place.call("clean")
    assert done.returncode == 0, done.stdout
    assert "removed killed" in done.stdout
    run.assert_nothing_is_left(address)


def test_clean_goes_on_where_another_that_was_killed_had_come_to(place: Place) -> None:
    run = place.start("killed", *ENDLESS)
    run.wait_for("the API server", lambda: "kube-apiserver is ready" in run.output)
    address = run.address
    run.kill()
    first = place.start_command("clean", [sys.executable, "-m", "proving_ground", "clean"])
    first.wait_for("an inventory without hosts", lambda: not any((run.state / "inventory").iterdir()))
    first.kill()
    assert run.state.exists()
    done = place.call("clean")
    assert done.returncode == 0, done.stdout
    assert "removed killed" in done.stdout
    run.assert_nothing_is_left(address)


def test_the_next_run_removes_what_a_killed_one_left_and_a_budget_that_runs_out_in_verify_destroys(
    place: Place,
) -> None:
    begin = time.monotonic()
    first = place.start("killed", *ENDLESS)
    first.wait_for("the API server", lambda: "kube-apiserver is ready" in first.output)
    started = time.monotonic() - begin
    address = first.address
    first.kill()
    # Until verify it takes somewhat more than twice what it took until the API server was there.
    budget = 4 * started + 5
    second = place.start("next", *ENDLESS, "--budget", f"{budget:.0f}s")
    second.reach("phase", "create")
    assert "removed what run killed had left" in second.output
    first.assert_nothing_is_left(address)
    second.reach("check")
    address = second.address
    assert second.ended() == 2, second.output
    assert second.cause == "the time budget ran out in verify"
    second.assert_nothing_is_left(address)
