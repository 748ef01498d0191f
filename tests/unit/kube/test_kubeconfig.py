"""Choosing a context for programs that read a kubeconfig."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from proving_ground.errors import ConfigurationError
from proving_ground.kube.kubeconfig import with_context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"}
    document = {
        "contexts": [{"name": "a", "context": {}}, {"name": "b", "context": {}}],
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"client-key": "/abs/key"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("context", [None, "a"])
def test_the_current_context_needs_no_copy(kubeconfig: Path, context: str | None) -> None:
    with with_context(kubeconfig, context) as path:
        assert path == kubeconfig


def test_another_context_is_current_in_a_private_copy_that_goes_away(kubeconfig: Path) -> None:
    with with_context(kubeconfig, "b") as path:
        document = yaml.safe_load(path.read_text())
        assert document["current-context"] == "b"
        assert document["clusters"][0]["cluster"]["certificate-authority"] == str(kubeconfig.parent / "ca.crt")
        assert document["users"][0]["user"]["client-key"] == "/abs/key"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


@pytest.mark.parametrize(("text", "told"), [(None, "no context 'z'"), ("- a", "no mapping"), ("{", "cannot be read")])
def test_what_cannot_be_chosen_is_a_configuration_error(kubeconfig: Path, text: str | None, told: str) -> None:
    if text is not None:
        kubeconfig.write_text(text)

    with pytest.raises(ConfigurationError, match=told), with_context(kubeconfig, "z"):
        pass
