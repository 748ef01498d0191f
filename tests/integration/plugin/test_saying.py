"""What a check says of itself beside its outcome: plots, disturbances."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Ground


def test_plots_are_in_the_event_log_however_the_check_ends(ground: Ground) -> None:
    ground.suite()
    ground.checks(
        """
        pytestmark = pytest.mark.nightly

        async def test_passes(check):
            check.plot("load", {"replicas": [(0, 1), (1, float("nan")), (2, 3)]}, y="replicas")

        async def test_fails(check):
            check.plot("load", {})
            assert False

        def test_is_synchronous(check):
            check.plot("load", {"a": [(0, 1)]}, x="hours")
        """
    )
    ground.run("probe")
    (plot,) = ground.ended("passes")["plots"]
    assert (plot["name"], plot["x"], plot["y"]) == ("load", "seconds", "replicas")
    assert plot["series"] == {"replicas": [[0, 1], [2, 3]]}
    assert (plot["left_out"], plot["bands"], plot["marks"]) == ([], [], [])
    assert [plot["series"] for plot in ground.ended("fails")["plots"]] == [{}]
    assert [plot["x"] for plot in ground.ended("is-synchronous")["plots"]] == ["hours"]


def test_secrets_are_masked_in_plots(ground: Ground) -> None:
    ground.suite()
    ground.checks(
        """
        @pytest.mark.nightly
        async def test_a(check):
            check.mask("hunter2hunter2")
            check.plot("hunter2hunter2", {"of hunter2hunter2": []})
        """
    )
    ground.run("probe")
    assert "hunter2" not in str(ground.ended("a")["plots"])


DISTURBING = """
    @pytest.mark.nightly
    @pytest.mark.needs_disturb
    async def test_disturbs(disturb):
        await disturb("restart_program", program="operator")
    """


def test_a_check_that_disturbs_is_not_selected_where_nothing_can_be_disturbed(ground: Ground) -> None:
    ground.suite()
    ground.checks(DISTURBING)
    ground.run("probe")
    (left_out,) = ground.events("not_selected")
    assert (left_out["reason"], left_out["detail"]) == ("capability", "disturb")


def test_a_disturbance_that_cannot_be_done_is_an_infrastructure_error_and_on_the_timeline(ground: Ground) -> None:
    ground.platform(run_id="r1-never-made", capabilities={"promised": ["disturb"], "present": ["disturb"]})
    ground.suite()
    ground.checks(DISTURBING)
    ground.run("probe")
    ended = ground.ended("disturbs")
    assert (ended["outcome"], ended["infrastructure"]) == ("error", True)
    assert "the run that made the platform is not known here" in ended["message"]
    notes = [(note["kind"], note["subject"], note["detail"][:12]) for note in ground.events("noted")]
    assert notes == [
        ("disturbance", "restart_program operator", "started"),
        ("disturbance", "restart_program operator", "failed after"),
    ]
