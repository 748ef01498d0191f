from __future__ import annotations

from proving_ground.mocks.history import CAPACITY, History


def test_samples_come_in_their_order_with_their_names() -> None:
    history = History(("a", "b"))
    history.add(1.0, (2.0, 3.0))
    history.add(4.0, (5.0, 6.0))
    assert history.samples() == [(1.0, {"a": 2.0, "b": 3.0}), (4.0, {"a": 5.0, "b": 6.0})]


def test_the_oldest_samples_give_way() -> None:
    history = History(("a",))
    for number in range(CAPACITY + 3):
        history.add(float(number), (float(-number),))
    kept = history.samples()
    assert len(kept) == CAPACITY
    assert kept[0] == (3.0, {"a": -3.0})
    assert kept[-1] == (CAPACITY + 2.0, {"a": -CAPACITY - 2.0})


def test_samples_since_a_time_include_that_time() -> None:
    history = History(())
    for number in range(4):
        history.add(float(number), ())
    assert [time for time, _ in history.samples(2.0)] == [2.0, 3.0]


def test_an_empty_history_has_no_samples() -> None:
    assert History(("a",)).samples() == []
