"""The controller is restarted, told to end, and killed, while it knows something."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Kept

PLACE = "learned"
SCALER, MEMORY = "budaiscaler/keeps", "configmap/keeps-learning-data"


@pytest.fixture(scope="module", autouse=True)
def learned(kept: Kept) -> Iterator[None]:
    """A scaler that learns, as a check left it."""
    done = kept.call("autoscaling", "learning", "run", "-k", "memory_is_kept", "--namespace", PLACE)
    assert done.returncode == 0, done.stdout + done.stderr
    yield
    kept.kubectl("delete", "namespace", PLACE, "--wait=false")


@pytest.fixture
def ends(kept: Kept) -> Iterator[None]:
    """The controller ends in the test, and is there again after it."""
    yield
    assert kept.restart()["cause"] == ""


def told(kept: Kept) -> int:
    """Return how many data points the scaler tells of."""
    found = kept.get(SCALER, f"--namespace={PLACE}")["status"]["learningStatus"]["dataPointsCollected"]
    return int(found)


def memory(kept: Kept) -> dict[str, Any]:
    """Return what the ConfigMap tells of what is in it."""
    found = kept.get(MEMORY, f"--namespace={PLACE}")
    return json.loads(found["data"]["metadata.json"])  # type: ignore[no-any-return]


def test_a_restart_keeps_what_was_learned(kept: Kept) -> None:
    process, before, points = kept.process(), memory(kept), told(kept)
    assert kept.restart()["cause"] == ""
    after = memory(kept)
    assert kept.process() != process
    assert after["createdAt"] == before["createdAt"]
    assert after["dataPointCount"] >= points
    until("more data points than before", lambda: told(kept) > after["dataPointCount"])
    assert "Traceback" not in kept.log
    assert " ERROR " not in kept.log


@pytest.mark.usefixtures("ends")
def test_sigterm_ends_it_in_order_and_all_that_was_told_is_kept(kept: Kept) -> None:
    last = memory(kept)
    # In between two of its regular times of keeping, so that what it keeps at its end tells.
    until("something kept", lambda: memory(kept) != last)
    kept_last = memory(kept)["dataPointCount"]
    until("more learned than was kept", lambda: told(kept) > kept_last)
    process = kept.process()
    os.kill(process.pid, signal.SIGTERM)
    until("the end of the controller", lambda: not process.alive)
    assert memory(kept)["dataPointCount"] >= told(kept) > kept_last
    assert "Traceback" not in kept.log
    assert " ERROR " not in kept.log
    # The supervisor writes of an end a moment after it.
    supervised = kept.state.directory / "sim/logs/supervisord.log"
    until("what the supervisor says of it", lambda: "exited: budaiscaler" in supervised.read_text().splitlines()[-1])
    assert supervised.read_text().splitlines()[-1].endswith("(exit status 0; expected)")


@pytest.mark.usefixtures("ends")
def test_without_a_controller_a_check_fails_in_time_and_tells_the_scaler_and_its_last_state(
    kept: Kept, namespace: str
) -> None:
    process = kept.process()
    os.kill(process.pid, signal.SIGKILL)
    until("the end of the controller", lambda: not process.alive)
    words = ("autoscaling", "scaling", "run", "-k", "scales_up", "--namespace", namespace)
    # No wait of a check is longer than that.
    done = kept.call(*words, PYTEST_ADDOPTS="--wait-limit=15")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"waited 15.0 s for Ready=True of BudAIScaler {namespace}/up; last seen:" in done.stdout
    assert f"BudAIScaler {namespace}/up: exists, without a status" in done.stdout
