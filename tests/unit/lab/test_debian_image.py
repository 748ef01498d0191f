from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError
from ansible_collections.proving.ground.plugins.modules import debian_image

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Commands


def wanted(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": "localhost/x",
        "release": "trixie",
        "packages": ["systemd", "sudo"],
        "variant": "minbase",
        "source": "auto",
        "containerfile": "/there/Containerfile",
        "revision": "",
        "runtime": "runc",
        "timeout": 5,
    }
    return given | changes


@pytest.mark.parametrize(
    "change", [{"release": "forky"}, {"packages": ["systemd"]}, {"variant": "extract"}, {"revision": "2"}]
)
def test_whatever_is_in_an_image_gives_it_another_digest(change: dict[str, Any]) -> None:
    assert debian_image.digest_of(wanted(**change)) != debian_image.digest_of(wanted())


@pytest.mark.parametrize("change", [{"runtime": "crun"}, {"timeout": 1}, {"source": "mmdebstrap"}, {"name": "y"}])
def test_what_is_not_in_an_image_does_not_change_its_digest(change: dict[str, Any]) -> None:
    assert debian_image.digest_of(wanted(**change)) == debian_image.digest_of(wanted())
    assert len(debian_image.digest_of(wanted())) == 12


def test_a_registry_that_answers_is_built_from(commands: Commands) -> None:
    commands.add("podman")
    assert debian_image.make(Podman(), "x:1", wanted()) == "containerfile"
    pull, build = commands.calls("podman")
    assert pull == ["pull", "--quiet", "docker.io/library/debian:trixie-slim"]
    assert "--build-arg=PACKAGES=systemd sudo" in build
    assert build[-2:] == ["--file=/there/Containerfile", "/there"]


def test_without_a_registry_it_is_made_of_the_package_archive(commands: Commands) -> None:
    commands.add("podman", 'case "$1" in pull) exit 125 ;; esac')
    commands.add("mmdebstrap")
    assert debian_image.make(Podman(), "x:1", wanted()) == "mmdebstrap"
    (call,) = commands.calls("mmdebstrap")
    assert "--include=systemd,sudo" in call
    assert call[-2] == "trixie"
    assert commands.calls("podman")[-1][0] == "import"


def test_a_registry_is_not_asked_where_the_package_archive_is_wanted(commands: Commands) -> None:
    commands.add("podman")
    commands.add("mmdebstrap")
    assert debian_image.make(Podman(), "x:1", wanted(source="mmdebstrap")) == "mmdebstrap"
    assert [call[0] for call in commands.calls("podman")] == ["import"]


def test_a_package_archive_that_is_out_of_reach_is_said_with_its_own_words(commands: Commands) -> None:
    commands.add("podman", "exit 125")
    commands.add(
        "mmdebstrap",
        "echo 'W: something' >&2; echo \"E: Could not resolve 'deb.debian.org'\" >&2; echo done >&2; exit 1",
    )
    with pytest.raises(PodmanError, match=r"^mmdebstrap could not make Debian trixie: E: Could not resolve 'deb.deb"):
        debian_image.make(Podman(), "x:1", wanted())


def test_mmdebstrap_that_does_not_end_is_ended(commands: Commands) -> None:
    commands.add("podman", "exit 125")
    commands.add("mmdebstrap", "exec sleep 60")
    with pytest.raises(PodmanError, match=r"^mmdebstrap did not end within 0.1 s$"):
        debian_image.make(Podman(), "x:1", wanted(timeout=0.1))


def test_a_machine_without_mmdebstrap_and_without_a_registry_is_told_what_to_install(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.add("podman", "exit 125")
    monkeypatch.setattr(debian_image.shutil, "which", lambda _name: None)
    with pytest.raises(PodmanError, match=r"no registry answers, and there is no mmdebstrap .* install mmdebstrap"):
        debian_image.make(Podman(), "x:1", wanted())


def test_who_waits_gets_a_line(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    debian_image.tell(str(file), "making x")
    debian_image.tell(None, "for nobody")
    assert file.read_text() == "making x\n"
