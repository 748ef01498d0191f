from __future__ import annotations

from proving_ground.fleet.remembered import Remembered, Setting

WORKLOAD = ("ns", "w")


def noted(*settings: Setting) -> list[tuple[str, str, dict[str, str]]]:
    remembered = Remembered()
    for setting in settings:
        remembered.note(WORKLOAD, setting)
    return [(s.container, s.path, dict(s.query)) for s in remembered.of(WORKLOAD)]


def test_values_that_are_set_one_after_the_other_add_up() -> None:
    assert noted(Setting("", "set", {"a": "1", "b": "1"}), Setting("", "set", {"b": "2"})) == [
        ("", "set", {"a": "1", "b": "2"})
    ]


def test_of_any_other_path_only_the_last_call_counts() -> None:
    assert noted(
        Setting("", "set_pattern", {"mode": "a", "duration": "9"}), Setting("", "set_pattern", {"mode": "b"})
    ) == [("", "set_pattern", {"mode": "b"})]


def test_settings_are_told_again_in_the_order_of_their_last_call() -> None:
    calls = [Setting("", "set", {"a": "1"}), Setting("", "set_pattern", {"mode": "x"}), Setting("", "set", {"b": "2"})]
    assert [path for _, path, _ in noted(*calls)] == ["set_pattern", "set"]


def test_containers_are_told_apart() -> None:
    assert len(noted(Setting("x", "set", {"a": "1"}), Setting("y", "set", {"a": "2"}))) == 2


def test_answers_to_several_queries_and_values_of_several_gpus_stand_beside_each_other() -> None:
    queries = [Setting("", "set", {"query": "up", "value": "1"}), Setting("", "set", {"query": "down", "value": "2"})]
    gpus = [Setting("", "set", {"gpu": "0", "gpu_util": "1"}), Setting("", "set", {"gpu": "1", "gpu_util": "2"})]
    assert len(noted(*queries, *gpus)) == 4


def test_a_namespace_is_forgotten_as_a_whole() -> None:
    remembered = Remembered()
    remembered.note(WORKLOAD, Setting("", "set", {"a": "1"}))
    remembered.note(("other", "w"), Setting("", "set", {"a": "1"}))
    remembered.forget("ns")
    assert not remembered.of(WORKLOAD)
    assert remembered.of(("other", "w"))
