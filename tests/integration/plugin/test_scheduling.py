"""When checks run, beside what, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ground

pytest_plugins = ["pytester"]


def test_checks_overlap_up_to_the_number_of_slots(ground: Ground) -> None:
    ground.checks("""
        barrier = asyncio.Barrier(3)
        @pytest.mark.parametrize("n", range(6))
        async def test_meet(n):
            async with asyncio.timeout(5):
                await barrier.wait()
    """)
    result = ground.run("--parallel=3")
    result.assert_outcomes(passed=6)


def test_no_more_checks_run_at_once_than_there_are_slots(ground: Ground) -> None:
    ground.checks("""
        under_way = []
        @pytest.mark.parametrize("n", range(7))
        async def test_count(n):
            under_way.append(n)
            assert len(under_way) <= 2
            for _ in range(5):
                await asyncio.sleep(0)
            under_way.remove(n)
    """)
    ground.run("--parallel=2").assert_outcomes(passed=7)


def test_checks_start_in_their_order(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.parametrize("n", range(5))
        async def test_order(n):
            await asyncio.sleep(0)
    """)
    ground.run("--parallel=2")
    assert [e["check"] for e in ground.events("started")] == [f"probe/order[{n}]" for n in range(5)]


def test_sequential_checks_run_first_and_alone(ground: Ground) -> None:
    ground.checks("""
        seen, under_way = [], set()
        async def work(name, alone=False):
            assert not (alone and under_way)
            under_way.add(name); seen.append(name)
            for _ in range(5):
                await asyncio.sleep(0)
                assert not (alone and len(under_way) > 1)
            under_way.discard(name)
        async def test_a(): await work("a")
        @pytest.mark.sequential
        async def test_b(): await work("b", alone=True)
        async def test_c(): await work("c")
        @pytest.mark.sequential
        async def test_d(): await work("d", alone=True)
        def test_last(): assert seen == ["b", "d", "a", "c"]
    """)
    ground.run("--parallel=4").assert_outcomes(passed=5)


def test_a_check_whose_verdict_is_known_frees_its_slot_while_it_cleans_up(ground: Ground) -> None:
    ground.checks("""
        second_runs = asyncio.Event()
        @pytest.fixture
        async def slow_to_remove():
            yield
            async with asyncio.timeout(5):
                await second_runs.wait()
        async def test_first(slow_to_remove): pass
        async def test_second(): second_runs.set()
    """)
    ground.run("--parallel=1").assert_outcomes(passed=2)
    assert [e["check"] for e in ground.events("ended")] == ["probe/second", "probe/first"]


def test_each_check_ends_exactly_once_and_the_log_finishes(ground: Ground) -> None:
    ground.checks("""
        async def test_good(): pass
        async def test_bad(): assert 1 == 2
        async def test_broken(check):
            from proving_ground.errors import InfrastructureError
            raise InfrastructureError("the cluster is gone", where="here")
        @pytest.fixture
        async def fails(): raise ValueError("no set-up")
        async def test_unprepared(fails): pass
        def test_plain(): pass
        def test_plain_bad(): assert 0, "plainly"
        async def test_left_out():
            from proving_ground.plugin import skip
            skip("row-skipped", "says the row")
    """)
    result = ground.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=2, errors=2, skipped=1)
    assert ground.outcomes() == {
        "good": "passed", "bad": "failed", "broken": "error", "unprepared": "error", "plain": "passed",
        "plain-bad": "failed", "left-out": "skipped",
    }  # fmt: skip
    collected = [e["check"] for e in ground.events("collected")]
    assert sorted(collected) == sorted(e["check"] for e in ground.events("ended"))
    assert ground.ended("broken")["infrastructure"] is True
    assert ground.ended("unprepared")["infrastructure"] is False
    assert ground.ended("bad")["message"] == "assert 1 == 2"
    assert ground.ended("left-out")["reason_code"] == "row-skipped"
    assert ground.events()[-1]["event"] == "finished"
    assert ground.events()[-1]["exit_status"] == 1


def test_x_cancels_what_runs_cleans_it_up_and_says_what_did_not_start(ground: Ground) -> None:
    ground.checks("""
        running = asyncio.Event()
        @pytest.fixture
        async def traced(check):
            yield
            check.note("cleaned", check.check_id)
        async def test_hangs(traced):
            running.set()
            await asyncio.Event().wait()
        async def test_fails():
            await running.wait()
            assert False
        async def test_never(): pass
        def test_plain_never(): pass
    """)
    result = ground.run("-x", "--parallel=2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    assert ground.outcomes() == {"fails": "failed", "hangs": "error", "never": "skipped", "plain-never": "skipped"}
    assert ground.ended("never")["reason_code"] == "not-started"
    assert [e["subject"] for e in ground.events("noted")] == ["probe/hangs"]
    result.stdout.fnmatch_lines(["cancelled before a verdict: probe/hangs", "*stopping after 1 failures*"])


def test_maxfail_counts_failures(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.parametrize("n", range(5))
        async def test_bad(n): assert n < 0
    """)
    ground.run("--maxfail=2", "--parallel=1").assert_outcomes(failed=2)


def test_k_keeps_its_meaning(ground: Ground) -> None:
    ground.checks("""
        async def test_apple(): pass
        async def test_pear(): pass
    """)
    ground.run("-k", "apple").assert_outcomes(passed=1, deselected=1)
    assert [(e["check"], e["reason"]) for e in ground.events("not_selected")] == [("probe/pear", "option")]


def test_the_first_interruption_cleans_up(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        async def traced(check):
            yield
            await asyncio.sleep(0)
            check.note("cleaned", check.check_id)
        async def test_hangs(traced): await asyncio.Event().wait()
        async def test_interrupts(traced):
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
        async def test_never(): pass
    """)
    result = ground.run("--parallel=2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert sorted(e["subject"] for e in ground.events("noted")) == ["probe/hangs", "probe/interrupts"]
    assert ground.outcomes() == {"hangs": "error", "interrupts": "error", "never": "skipped"}
    assert ground.ended("hangs")["message"] == "cancelled: interrupted by SIGINT"


def test_the_second_interruption_ends_at_once(ground: Ground) -> None:
    ground.checks("""
        async def test_stubborn():
            try:
                signal.raise_signal(signal.SIGINT)
                await asyncio.Event().wait()
            finally:
                signal.raise_signal(signal.SIGINT)
                await asyncio.Event().wait()
    """)
    result = ground.pytester.runpytest_subprocess("--platform=platform.json", "--events=events.jsonl")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert ground.outcomes() == {"stubborn": "error"}


def test_a_check_that_takes_too_long_fails_and_is_cleaned_up(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        async def traced(check):
            yield
            check.note("cleaned", check.check_id)
        @pytest.mark.timeout(0.01)
        async def test_slow(traced): await asyncio.Event().wait()
    """)
    ground.run().assert_outcomes(failed=1)
    assert ground.ended("slow")["message"] == "the check was not done after 0.01 s"
    assert len(ground.events("noted")) == 1


def test_an_assertion_is_tried_again_and_the_attempts_are_told(ground: Ground) -> None:
    ground.checks("""
        from proving_ground.errors import InfrastructureError
        calls = []
        async def test_flaky():
            calls.append(1)
            assert len(calls) > 2
        async def test_gone(check):
            check.note("ran", "gone")
            raise InfrastructureError("gone")
        plain = []
        def test_plain():
            plain.append(1)
            assert len(plain) > 1
        def test_hopeless(): assert False
    """)
    result = ground.run("--reruns=3", "--parallel=1")
    result.assert_outcomes(passed=2, errors=1, failed=1)
    assert [ground.ended(n)["attempts"] for n in ("flaky", "gone", "plain", "hopeless")] == [3, 1, 2, 4]


def test_xfail_and_skip_marks_keep_their_meaning_where_the_stage_allows(ground: Ground) -> None:
    ground.checks("""
        @pytest.mark.xfail(reason="known")
        async def test_known(): assert 0
        @pytest.mark.xfail(strict=True)
        async def test_surprise(): pass
    """)
    ground.run("--allow-skip=expected-failure").assert_outcomes(xfailed=1, failed=1)
    assert ground.outcomes() == {"known": "skipped", "surprise": "failed"}


def test_a_skip_without_an_allowed_reason_code_is_an_error(ground: Ground) -> None:
    ground.checks("""
        from proving_ground.plugin import skip
        async def test_bare(): pytest.skip("because")
        @pytest.mark.skip(reason="mark")
        async def test_marked(): pass
        async def test_coded(): skip("no-licence", "none left")
        async def test_other(): skip("lunch", "hungry")
        def test_plain(): pytest.skip("because")
    """)
    result = ground.run("--allow-skip=no-licence")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert ground.outcomes() == {
        "bare": "error", "marked": "error", "coded": "skipped", "other": "error", "plain": "error",
    }  # fmt: skip
    result.assert_outcomes(errors=4, skipped=1)


def test_output_of_checks_is_kept_apart(ground: Ground) -> None:
    ground.checks("""
        import logging
        both = asyncio.Barrier(2)
        @pytest.mark.parametrize("name", ["red", "blue"])
        async def test_talks(name):
            print("printed", name)
            await both.wait()
            logging.warning("logged %s", name)
            assert name == "red"
    """)
    result = ground.run()
    result.stdout.fnmatch_lines(["*Captured log*", "*logged blue", "*Captured stdout*", "printed blue"])
    result.stdout.no_fnmatch_line("*printed red*")
    result.stdout.no_fnmatch_line("*logged red*")


def test_verbose_lines_stay_whole(ground: Ground) -> None:
    ground.checks("""
        both = asyncio.Barrier(2)
        @pytest.mark.parametrize("n", range(2))
        async def test_meet(n): await both.wait()
    """)
    result = ground.run("-v")
    result.stdout.fnmatch_lines_random(
        ["probe/test_probe.py::test_meet?0? PASSED*", "probe/test_probe.py::test_meet?1? PASSED*"]
    )


def test_junit_and_durations_have_each_check_once(ground: Ground) -> None:
    ground.checks("""
        async def test_measured(check):
            check.metric("ready_seconds", 1.5)
            check.property("model", "m")
    """)
    result = ground.run("--junitxml=junit.xml", "--durations=0", "-vv")
    text = (ground.path / "junit.xml").read_text()
    assert text.count("<testcase ") == 1
    assert 'name="ready_seconds" value="1.5"' in text
    result.stdout.fnmatch_lines(["*s call *test_measured"])
    assert ground.ended("measured")["metrics"] == {"ready_seconds": 1.5}
    assert ground.ended("measured")["properties"] == {"model": "m"}


def test_collect_only_runs_nothing(ground: Ground) -> None:
    ground.checks("""
        async def test_a(): assert 0
    """)
    result = ground.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["probe/test_probe.py::test_a"])
    assert ground.events("started") == []


def test_warnings_are_told_and_can_be_errors(ground: Ground) -> None:
    ground.checks("""
        import warnings
        async def test_warns(): warnings.warn("careful")
    """)
    ground.run("-Wdefault").assert_outcomes(passed=1, warnings=1)
    ground.run("-Werror").assert_outcomes(failed=1)


def test_pytest_exit_in_a_check_ends_the_session_after_the_clean_up(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        async def traced(check):
            yield
            check.note("cleaned", check.check_id)
        async def test_hangs(traced): await asyncio.Event().wait()
        async def test_leaves(): pytest.exit("enough", returncode=7)
    """)
    result = ground.run("--parallel=2")
    assert result.ret == 7
    assert len(ground.events("noted")) == 1
    assert ground.events()[-1]["event"] == "finished"


def test_the_last_failures_can_be_run_alone(ground: Ground) -> None:
    ground.checks("""
        async def test_good(): pass
        async def test_bad(): assert False
    """)
    arguments = ("--platform=platform.json", "--events=events.jsonl")
    ground.pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=1, failed=1)
    ground.pytester.runpytest_inprocess(*arguments, "--lf").assert_outcomes(failed=1)
    assert [e["check"] for e in ground.events("ended")] == ["probe/bad"]


def test_a_clean_up_that_never_ends_is_cancelled_and_fails_the_check(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        async def stuck():
            yield
            await asyncio.Event().wait()
        async def test_a(stuck): pass
    """)
    ground.run("--cleanup-limit=0.01").assert_outcomes(passed=1, errors=1)
    assert ground.ended("a")["message"] == "the clean-up was not done after 0.01 s"


def test_a_termination_signal_cleans_up_like_an_interruption(ground: Ground) -> None:
    ground.checks("""
        async def test_a(check):
            try:
                signal.raise_signal(signal.SIGTERM)
                await asyncio.Event().wait()
            finally:
                check.note("cleaned", "a")
    """)
    assert ground.run().ret == pytest.ExitCode.INTERRUPTED
    assert len(ground.events("noted")) == 1
    assert ground.ended("a")["message"] == "cancelled: interrupted by SIGTERM"


def test_an_interruption_among_synchronous_checks_ends_the_log(ground: Ground) -> None:
    ground.checks("""
        async def test_first(): pass
        def test_interrupts(): raise KeyboardInterrupt
        def test_never(): pass
    """)
    assert ground.run().ret == pytest.ExitCode.INTERRUPTED
    assert ground.outcomes() == {"first": "passed", "interrupts": "error", "never": "skipped"}


def test_a_check_with_a_verdict_is_not_cancelled_by_the_failure_of_another(ground: Ground) -> None:
    ground.checks("""
        failed = asyncio.Event()
        async def test_cleans_up(check):
            check.verdict_known()
            await failed.wait()
            for _ in range(10):
                await asyncio.sleep(0)
        async def test_fails():
            failed.set()
            assert False
    """)
    ground.run("-x", "--parallel=1").assert_outcomes(passed=1, failed=1)
