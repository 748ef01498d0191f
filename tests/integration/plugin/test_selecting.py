"""Which checks run on which platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ground

pytest_plugins = ["pytester"]

MARKED = """
    @pytest.mark.pre_merge
    async def test_plain(): pass
    @pytest.mark.nightly
    @pytest.mark.needs_warp_drive
    async def test_warp(): pass
    @pytest.mark.weekly
    @pytest.mark.needs_gpu
    def test_gpu(): pass
"""


def test_a_check_whose_capability_is_not_promised_is_not_selected(ground: Ground) -> None:
    ground.suite()
    ground.checks(MARKED)
    ground.run().assert_outcomes(passed=2, deselected=1)
    (left,) = ground.events("not_selected")
    assert (left["check"], left["reason"], left["detail"]) == ("probe/warp", "capability", "warp_drive")
    assert "warp" not in ground.outcomes()


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_promised_capability_that_is_absent_is_an_infrastructure_error(ground: Ground, kind: str) -> None:
    ground.platform(capabilities={"promised": ["gpu"], "present": []})
    ground.checks(f"""
        @pytest.mark.needs_gpu
        {kind} test_gpu(): pass
        {kind} test_other(): pass
    """)
    ground.run().assert_outcomes(passed=1, errors=1)
    ended = ground.ended("gpu")
    assert (ended["outcome"], ended["infrastructure"]) == ("error", True)
    assert "capability gpu is promised by inventory 'sim' but not present" in ended["message"]


def test_a_suite_whose_system_is_absent_is_not_selected(ground: Ground) -> None:
    ground.suite(text="systems: [aim]")
    ground.checks(MARKED)
    result = ground.run()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert {e["reason"] for e in ground.events("not_selected")} == {"system"}
    assert ground.events()[-1]["exit_status"] == 5


def test_a_suites_capabilities_count_for_each_of_its_checks(ground: Ground) -> None:
    ground.suite(text="capabilities: [ssh]")
    ground.checks(MARKED)
    ground.run()
    assert [e["detail"] for e in ground.events("not_selected")] == ["ssh", "ssh, warp_drive", "ssh"]


def test_deselection_by_mark_is_told_as_such(ground: Ground) -> None:
    ground.suite()
    ground.checks(MARKED)
    ground.run("-m", "pre_merge", "-k", "plain or gpu")
    told = {e["check"]: e["reason"] for e in ground.events("not_selected")}
    assert told == {"probe/warp": "mark", "probe/gpu": "mark"}


@pytest.mark.parametrize(
    ("marks", "said"),
    [("", "carries no stage mark"), ("@pytest.mark.nightly\n@pytest.mark.weekly", "carries nightly, weekly")],
)
def test_a_check_of_a_suite_carries_exactly_one_stage_mark(ground: Ground, marks: str, said: str) -> None:
    ground.suite()
    ground.checks(f"{marks}\nasync def test_a(): pass")
    result = ground.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: probe/test_probe.py::test_a: check 'probe/a' {said}*"])
    finished = ground.events()[-1]
    assert finished["configuration"] is True
    assert said in finished["problem"]


def test_two_checks_with_one_id_are_refused(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.check("b")
        async def test_a(): pass
        async def test_b(): pass
    """)
    assert ground.run().ret == pytest.ExitCode.USAGE_ERROR
    assert "two checks have the id 'probe/b'" in ground.events()[-1]["problem"]


def test_an_id_outlives_the_name_of_its_function_and_its_parameters_follow(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.check("load")
        @pytest.mark.parametrize("n", [1, 2])
        async def test_renamed(n):
            '''Loads.'''
    """)
    ground.run()
    assert [(e["check"], e["parameters"], e["description"]) for e in ground.events("collected")] == [
        ("probe/load[1]", {"n": 1}, "Loads."),
        ("probe/load[2]", {"n": 2}, "Loads."),
    ]


def test_slots_come_from_the_suite(ground: Ground) -> None:
    ground.suite(text="parallel: 2")
    ground.checks("""
        pytestmark = pytest.mark.nightly
        async def test_a(check): assert check.settings.parallel == 2
    """)
    ground.run().assert_outcomes(passed=1)


def test_a_mark_that_nobody_knows_is_refused(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.prenightly
        async def test_a(): pass
    """)
    result = ground.run("--strict-markers")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "'prenightly' not found" in ground.events()[-1]["problem"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the platform cannot be read: *"),
        ("", "*platform.json:1: is not JSON: Expecting value"),
        ("{}", "*platform.json: run_id: Field required"),
        (
            '{"run_id": "r", "inventory": "i", "clock": {"started": "2026-01-01T00:00:00Z"}, "x": 1}',
            "*: x: Extra inputs*",
        ),
    ],
)
def test_a_platform_that_cannot_be_used_is_a_usage_error(ground: Ground, content: str | None, said: str) -> None:
    ground.checks("def test_a(): pass")
    (ground.path / "platform.json").unlink()
    if content is not None:
        (ground.path / "platform.json").write_text(content)
    result = ground.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{said}"])


def test_a_broken_suite_file_is_a_configuration_problem(ground: Ground) -> None:
    ground.suite(text="colour: red")
    ground.checks(MARKED)
    assert ground.run().ret != 0
    assert "colour: Extra inputs" in ground.events()[-1]["problem"]
    assert ground.events()[-1]["configuration"] is True


def test_parameters_of_systems_are_replaced(ground: Ground) -> None:
    ground.platform(systems={"aim": {"implementation": "stand_in", "parameters": {"a": 1, "b": 2}}})
    ground.checks("""
        async def test_a(parameters): assert parameters("aim") == {"a": 1, "b": [3], "c": "x"}
        def test_b(parameters): assert parameters("aim")["b"] == [3]
        async def test_none(parameters): parameters("skytorch")
    """)
    ground.run("--parameter=b=[3]", "--parameter=aim.c=x").assert_outcomes(passed=2, errors=1)
    assert ground.ended("none")["infrastructure"] is True


def test_without_a_platform_the_plugin_does_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass")
    pytester.path.joinpath("chainsaw-test.yaml").write_text("none of ours")
    result = pytester.runpytest_subprocess("-v")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("platform: *")


def test_a_suite_can_be_listed_without_a_platform(ground: Ground) -> None:
    folder = ground.suite()
    ground.checks(MARKED)
    result = ground.pytester.runpytest_inprocess("--collect-only", "-q", "--strict-markers", str(folder))
    result.stdout.fnmatch_lines(["probe/test_probe.py::test_warp", "3 tests collected*"])


@pytest.mark.parametrize("argument", [".", "family", "family/probe"])
def test_suites_of_a_family_can_be_listed_from_any_folder_above(ground: Ground, argument: str) -> None:
    folder = ground.path / "suites/family/probe"
    folder.mkdir(parents=True)
    (folder / "suite.yml").write_text("name: probe\ndescription: d\n")
    ground.checks(MARKED, "suites/family/probe")
    result = ground.pytester.runpytest_inprocess("--collect-only", "-q", "--strict-markers", f"suites/{argument}")
    result.stdout.fnmatch_lines(["suites/family/probe/test_probe.py::test_warp", "3 tests collected*"])


def test_a_suite_does_not_run_without_a_platform(ground: Ground) -> None:
    folder = ground.suite()
    ground.checks(MARKED)
    result = ground.pytester.runpytest_inprocess("-k", "plain", str(folder))
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines(["*give --platform FILE*"])
