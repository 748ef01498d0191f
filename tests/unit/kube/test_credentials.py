"""What a user shows: tokens, passwords, and what credential plugins print."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.kube import credentials
from proving_ground.kube.credentials import Credential, obtain, written
from proving_ground.kube.kubeconfig import Access, Plugin

if TYPE_CHECKING:
    from pathlib import Path

V1 = "client.authentication.k8s.io/v1"
ACCESS = Access("https://127.0.0.1:1", where="/etc/kubeconfig", user="dev")


def answer(**status: Any) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def shell(script: str, *arguments: str, **fields: Any) -> Access:
    return replace(ACCESS, plugin=Plugin("sh", ("-c", script, "sh", *arguments), (), V1, **fields))


def run(access: Access) -> Credential:
    return asyncio.run(obtain(access))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""),
        ({"token": "t"}, "Bearer t"),
        ({"username": "u", "password": "p:ä"}, "Basic " + base64.b64encode("u:p:ä".encode()).decode()),
        ({"token": "t", "plugin": Plugin("/absent", (), (), V1)}, "Bearer t"),
    ],
)
def test_what_the_kubeconfig_holds_is_shown(fields: dict[str, Any], expected: str) -> None:
    found = run(replace(ACCESS, **fields))
    assert (found.authorization, found.expires) == (expected, math.inf)


def test_a_token_file_is_read_and_read_again_after_a_while(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("fresh\n")
    found = run(replace(ACCESS, token="old", token_file=file))
    assert found.authorization == "Bearer fresh"
    assert time.time() < found.expires < time.time() + 100


def test_the_token_stands_in_for_a_token_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert run(replace(ACCESS, token="old", token_file=tmp_path / "none")).authorization == "Bearer old"


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), (b" \n", "empty"), (b"\xff", "no text"), (b"a\nb", "token of user")]
)
def test_a_token_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"/etc/kubeconfig: .*'dev'.*|{told}") as refusal:
        run(replace(ACCESS, token_file=file))
    assert told in str(refusal.value)


def test_a_plugin_hands_out_a_token_until_it_expires() -> None:
    found = run(shell(f"echo '{answer(token='t', expirationTimestamp='2030-01-02T03:04:05Z')}'"))
    assert found == Credential("Bearer t", expires=1893553445.0)


def test_a_plugin_hands_out_a_client_certificate() -> None:
    found = run(shell(f"echo '{answer(clientCertificateData='CERT', clientKeyData='KEY')}'"))
    assert found == Credential("", b"CERT", b"KEY")


def test_a_plugin_is_given_arguments_variables_and_what_the_cluster_is() -> None:
    script = """printf '{"apiVersion":"%s","kind":"ExecCredential","status":{"token":"%s"}}' """
    script += f""""{V1}" "$1.$N.$(echo "$KUBERNETES_EXEC_INFO" | sha256sum | cut -c1-64)" """
    access = shell(script, "one")
    assert access.plugin is not None
    told = {"server": "https://127.0.0.1:1", "config": None}
    access = replace(access, plugin=replace(access.plugin, environment=(("N", "v"),), cluster=told))
    spec = {"interactive": False, "cluster": told}
    info = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "spec": spec}) + "\n"
    assert run(access).authorization == f"Bearer one.v.{hashlib.sha256(info.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo secret; echo first >&2; echo 'log in first' >&2; exit 3", "ended with 3: log in first"),
        ("exit 1", "ended with 1: it said nothing"),
        ("true", "printed no JSON"),
        ("yes '[' | head -c 90000", "printed no JSON"),
        ("echo '{}'", "printed no ExecCredential"),
        (f"echo '{answer().replace('/v1', '/v1beta1')}'", "speaks another version than"),
        (f"echo '{answer()}'", "neither a token nor a client certificate"),
        ('echo \'{"apiVersion":"%s","kind":"ExecCredential"}\'' % V1, "without a status"),  # noqa: UP031
        (f"echo '{answer(token=3)}'", "a token that is no text"),
        (f"echo '{answer(token='a b')}'", "the token of user 'dev' is none"),
        (f"echo '{answer(clientCertificateData='C')}'", "half of a pair"),
        (f"echo '{answer(token='t', expirationTimestamp='soon')}'", "no time"),
    ],
)
def test_a_plugin_that_fails_is_told_in_one_line_with_file_and_user(script: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        run(shell(script))
    text = str(refusal.value)
    assert text.startswith("/etc/kubeconfig: ")
    assert "'dev'" in text
    assert told in text
    assert "\n" not in text
    assert "secret" not in text


def test_a_plugin_that_is_not_installed_is_told_with_its_hint() -> None:
    access = replace(ACCESS, plugin=Plugin("absent-plugin", (), (), V1, hint="get it at example.test"))
    with pytest.raises(ConfigurationError, match=r"absent-plugin of user 'dev' is not installed \(get it at"):
        run(access)


def test_a_plugin_that_does_not_end_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_PLUGIN_SECONDS", 0.2)
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ConfigurationError, match="did not end within"):
            run(shell('exec 3>"$1"; sleep 60 & wait', str(pipe)))
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""  # nobody holds the other end any more
    finally:
        os.close(reader)


def test_who_runs_no_plugins_says_so() -> None:
    with pytest.raises(ConfigurationError, match="'dev' needs a credential plugin"):
        written(shell("true"))
