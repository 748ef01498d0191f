"""A controller that is a command of one's own, at the pace of the real one: what suites are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Kept

pytestmark = pytest.mark.weekly  # a platform of its own, whose controller takes its time


def test_suites_are_told_the_pace_of_the_real_controller(kept_command: Kept) -> None:
    told = kept_command.controller
    assert told["implementation"] == "command"
    assert told["parameters"]["clock_speed"] == 1
    assert told["cadences"] == {"reconcile": 10, "persist": 300, "calibrate": 300, "metrics_timeout": 10}
    assert "a pass each 10 s, the clock 1 times as fast" in kept_command.log


def test_a_clock_that_can_be_set_is_not_promised_a_restart_is(kept_command: Kept) -> None:
    for which in ("promised", "present"):
        names = kept_command.platform["capabilities"][which]
        assert "autoscaler_clock" not in names
        assert "disturb" in names


def test_a_check_passes_at_that_pace(kept_command: Kept) -> None:
    done = kept_command.call("autoscaling", "scaling", "run", "-k", "scales_up_over", "--namespace", "paced")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
