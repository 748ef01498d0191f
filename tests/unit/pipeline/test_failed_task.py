from __future__ import annotations

from typing import Any

import pytest

from proving_ground.pipeline.failed_task import describe

CHANGED_KEY = """Task failed: Data could not be sent to remote host "10.64.0.12". Make sure this host can be reached over ssh: @@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@
Offending ED25519 key in /state/lab/known_hosts:2
Host key verification failed."""  # noqa: E501 - as ssh says it
REFUSED = (
    'Task failed: Data could not be sent to remote host "10.64.0.12". Make sure this host can be reached over ssh: '
    "ssh: connect to host 10.64.0.12 port 22: Connection refused"
)


def line(result: dict[str, Any], *, host: str = "w1", unreachable: bool = False) -> str:
    return describe({"res": result, "host": host, "task": "t"}, unreachable=unreachable)[0]


def test_it_names_the_host_the_reason_and_the_task() -> None:
    assert line({"msg": "broken"}) == "w1: broken (task: t)"


def test_the_machine_that_runs_ansible_is_not_named() -> None:
    assert line({"msg": "broken"}, host="localhost") == "broken (task: t)"


def test_only_the_first_line_is_told_and_the_rest_is_the_detail() -> None:
    told, detail = describe({"res": {"msg": "broken\nby this"}, "host": "", "task": "t"}, unreachable=False)
    assert told == "broken (task: t)"
    assert detail == "broken\nby this"


def test_a_line_that_announces_others_is_told_with_the_next() -> None:
    assert line({"msg": "these are missing:\n  a\n  b"}) == "w1: these are missing: a (task: t)"


def test_words_that_ansible_puts_around_a_reason_are_left_out() -> None:
    assert line({"msg": "Task failed: Module failed: broken"}) == "w1: broken (task: t)"


def test_a_task_that_said_nothing_is_told_as_that() -> None:
    assert line({}) == "w1: no message (task: t)"


def test_a_command_that_failed_is_told_by_its_last_line() -> None:
    result = {"msg": "non-zero return code", "rc": 4, "stderr": "first\nlast\n\n"}
    told, detail = describe({"res": result, "host": "w1", "task": "t"}, unreachable=False)
    assert told == "w1: last (a command ended with 4) (task: t)"
    assert detail == "last (a command ended with 4)\nfirst\nlast"


def test_a_command_that_failed_without_errors_is_told_by_what_it_printed() -> None:
    assert (
        line({"msg": "non-zero return code", "rc": 1, "stdout": "out"}) == "w1: out (a command ended with 1) (task: t)"
    )


def test_a_command_that_failed_without_a_word_is_told_as_ansible_does() -> None:
    assert line({"msg": "non-zero return code", "rc": 1}) == "w1: non-zero return code (task: t)"


def test_a_loop_is_told_by_the_first_item_that_failed() -> None:
    items = [{"msg": "fine"}, {"failed": True, "msg": "non-zero return code", "rc": 1, "stderr": "bad"}]
    assert line({"msg": "One or more items failed", "results": items}) == "w1: bad (a command ended with 1) (task: t)"


def test_another_host_key_than_the_known_one_is_told_with_where_the_known_one_stands() -> None:
    assert line({"msg": CHANGED_KEY}, unreachable=True) == (
        "w1: unreachable: the host has another SSH key than the one in /state/lab/known_hosts:2; "
        "if that is right, remove the old one there (task: t)"
    )


def test_a_host_that_refuses_connections_comes_with_what_to_do() -> None:
    told = line({"msg": REFUSED}, unreachable=True)
    assert told.startswith('w1: unreachable: Data could not be sent to remote host "10.64.0.12".')
    assert told.endswith("Connection refused; start sshd there, or correct ansible_host and ansible_port (task: t)")


def test_a_connection_that_a_task_itself_failed_to_make_comes_without_advice_on_ssh() -> None:
    assert line({"msg": "curl: Connection refused"}) == "w1: curl: Connection refused (task: t)"


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Incorrect sudo password", "set ansible_become_password to the password"),
        ("Missing sudo password", "set ansible_become_password, or let"),
        ("write /x: no space left on device", "free space there"),
    ],
)
def test_reasons_that_people_can_remove_come_with_what_to_do(said: str, advice: str) -> None:
    assert line({"msg": said}).startswith(f"w1: {said}; {advice}")
