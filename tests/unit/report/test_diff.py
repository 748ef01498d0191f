from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.report.diff import difference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.contracts.results import Results
    from proving_ground.report.diff import Pair


def names(pairs: Sequence[Pair]) -> list[str]:
    return [pair.after.name for pair in pairs]


def test_changes_are_sorted_by_what_they_mean(make_run: Callable[..., Results], make_check: Any) -> None:
    before = make_run(
        make_check("breaks"), make_check("heals", "failed"), make_check("rests"), make_check("slows", duration=2.0),
        make_check("stays", duration=2.0), make_check("leaves"), make_check("stays-bad", "failed"),
    )  # fmt: skip
    after = make_run(
        make_check("breaks", "error"), make_check("heals"), make_check("rests", "skipped"),
        make_check("slows", duration=4.0), make_check("stays", duration=2.5), make_check("comes"),
        make_check("stays-bad", "failed"),
    )  # fmt: skip
    changes = difference(before, after)
    assert names(changes.failing) == ["breaks"]
    assert names(changes.fixed) == ["heals"]
    assert names(changes.other) == ["rests"]
    assert names(changes.durations) == ["slows"]
    assert [test.name for test in changes.added] == ["comes"]
    assert [test.name for test in changes.removed] == ["leaves"]
    assert changes.worse


def test_the_same_run_twice_has_no_difference(results: Results) -> None:
    changes = difference(results, results)
    assert not changes.worse
    assert not any((changes.failing, changes.fixed, changes.other, changes.durations, changes.added, changes.removed))


def test_a_new_check_that_fails_is_worse(make_run: Callable[..., Results], make_check: Any) -> None:
    assert difference(make_run(), make_run(make_check("new", "failed"))).worse


def test_another_failure_of_a_check_that_failed_is_not_worse(make_run: Callable[..., Results], make_check: Any) -> None:
    assert not difference(make_run(make_check("a", "failed")), make_run(make_check("a", "error"))).worse
