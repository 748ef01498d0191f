from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Commands


def test_a_command_gets_the_runtime_before_its_own_words(commands: Commands) -> None:
    commands.add("podman", "echo said")
    assert Podman("runc").run("network", "ls") == "said\n"
    assert commands.calls("podman") == [["--runtime", "runc", "network", "ls"]]


def test_a_command_without_a_runtime_leaves_the_choice_to_podman(commands: Commands) -> None:
    commands.add("podman")
    Podman().run("ps")
    assert commands.calls("podman") == [["ps"]]


def test_a_command_that_fails_says_which_it_was_and_its_last_line(commands: Commands) -> None:
    commands.add("podman", "echo 'level=warning msg=old' >&2; echo 'Error: no such container' >&2; exit 125")
    with pytest.raises(PodmanError, match=r"^podman rm --force: Error: no such container$"):
        Podman("runc").run("rm", "--force", "pg-x")


def test_a_command_that_fails_without_a_word_says_so(commands: Commands) -> None:
    commands.add("podman", "exit 1")
    with pytest.raises(PodmanError, match=r"^podman ps: failed without a word$"):
        Podman().run("ps")


def test_a_command_that_does_not_end_is_ended(commands: Commands) -> None:
    commands.add("podman", "exec sleep 60")
    with pytest.raises(PodmanError, match=r"^podman pull x did not end within 0.1 s$"):
        Podman().run("pull", "x", seconds=0.1)


def test_a_machine_without_podman_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PodmanError, match=r"^there is no podman on this machine$"):
        Podman().attempt("ps")


def test_a_command_gets_what_it_is_to_read(commands: Commands) -> None:
    commands.add("podman", "cat")
    assert Podman().run("cp", "-", "x:/", stdin=b"archive") == "archive"


@pytest.mark.parametrize(("kind", "words"), [("container", ["ps", "--all"]), ("network", ["network", "ls"])])
def test_what_carries_a_label_is_listed(commands: Commands, kind: str, words: list[str]) -> None:
    commands.add("podman", """echo '[{"Names": ["a"]}]'""")
    assert Podman().listed(kind, "k=v") == [{"Names": ["a"]}]
    assert commands.calls("podman") == [[*words, "--filter", "label=k=v", "--format", "json"]]
