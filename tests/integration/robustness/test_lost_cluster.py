from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Place

# From the kill: the patience with a silent cluster (15 s), the end of the checks (20 s), collect and destroy.
SOON = 90.0


def test_an_api_server_that_is_killed_ends_the_run_with_two_soon_and_with_nothing_left(place: Place) -> None:
    run = place.start("lost", "--only", "aim", "--fault", "never-ready")
    run.reach("check")
    address = run.address
    os.kill(run.pid_of("kube-apiserver"), signal.SIGKILL)
    killed = time.monotonic()
    assert run.ended() == 2, run.output
    assert time.monotonic() - killed < SOON
    assert run.cause.startswith(f"cluster default does not answer any more (https://{address}:6443: ")
    assert run.results["verdict"]["outcome"] == "infrastructure"
    phases = {phase["name"]: phase["status"] for phase in run.results["phases"]}
    assert (phases["verify"], phases["collect"], phases["destroy"]) == ("failed", "passed", "passed")
    logs = {path.name for path in (run.artifacts / "diagnostics/logs").iterdir()}
    assert any("apiserver" in name for name in logs), logs
    assert {test["status"] for test in run.results["tests"]} <= {"passed", "failed", "error", "skipped"}
    run.assert_nothing_is_left(address)
