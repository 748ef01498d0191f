"""Two runs at the same time, one of them under a fault, with secrets that are known."""

from __future__ import annotations

import base64
import binascii
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conftest import Place

TOKEN = "hf_QJ7vKnownTokenOfThisTest"
PASSWORD = "kn0wn-Registry-Passw0rd"
AUTH = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
DOCKER = {"auths": {"ghcr.io": {"username": "robot", "password": PASSWORD, "auth": AUTH}}}
# A private model, and gated ones.
PRIVATE, GATED = "aim-openai-gpt-oss-20b", "aim-meta-llama-llama-3-1-8b-instruct"


def test_two_runs_at_once_do_not_meet_and_a_fault_fails_the_check_of_one_and_leaks_no_secret(
    place: Place, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"hfToken": TOKEN, "imagePullSecret": json.dumps(DOCKER)}))
    values.chmod(0o600)
    faulty = place.start(
        *("faulty", "--only", "aim", "-k", f"{PRIVATE} or {GATED}", "--values", str(values), "--keep"),
        *("--fault", "wrong-model", "--wait-limit", "10"),
    )
    sound = place.start("sound", "--only", "aim", "-k", PRIVATE)
    for run in (faulty, sound):
        run.wait_for("its network", (run.state / "sim/network.json").exists)
    addresses = {run.run_id: run.address for run in (faulty, sound)}
    assert addresses["faulty"] != addresses["sound"]

    assert sound.ended() == 0, sound.output
    sound.assert_nothing_is_left(addresses["sound"])
    assert faulty.ended() == 1, faulty.output
    bad = {test["id"] for test in faulty.results["tests"] if test["status"] == "failed"}
    assert bad == {test["id"] for test in faulty.results["tests"]}
    assert all(any(name in check for check in bad) for name in (PRIVATE, GATED))
    assert any(faulty.cause.startswith(name) for name in bad)
    report = (faulty.artifacts / "report.html").read_text()
    assert [name for name in bad if name not in report] == []

    diagnostics = [path for path in (faulty.artifacts / "diagnostics").rglob("*") if path.is_file()]
    assert any(path.read_bytes().count(b"\n") > 1 for path in diagnostics if path.name == "aim-services.txt")
    secrets = {TOKEN, PASSWORD, AUTH, *private_parts(faulty.state)}
    assert len(secrets) > 10
    assert list(leaks(faulty.artifacts, secrets)) == []

    done = place.call("clean", "faulty")
    assert done.returncode == 0, done.stdout
    faulty.assert_nothing_is_left(addresses["faulty"])


def private_parts(state: Path) -> Iterator[str]:
    """Yield the secrets of a state directory: private keys, and what kubeconfigs authenticate with."""
    for path in state.rglob("*.key"):
        lines = path.read_text().splitlines()
        yield from (line for line in lines if len(line) > 30 and not line.startswith("-----"))
    for path in state.rglob("*.kubeconfig"):
        for user in yaml.safe_load(path.read_text())["users"]:
            for key in ("client-key-data", "token", "password"):
                if key in user["user"]:
                    yield user["user"][key]


def leaks(directory: Path, secrets: Iterable[str]) -> Iterator[str]:
    """Yield each file with a secret in it, as it is or inside something that is encoded in base64."""
    wanted = [secret.encode() for secret in secrets]
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        texts = [content, *decoded(content)]
        for secret in wanted:
            if any(secret in text for text in texts):
                yield f"{path.relative_to(directory)}: {secret.decode()[:12]}..."


def decoded(content: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"[A-Za-z0-9+/]{16,}={0,2}", content):
        text = match[0].rstrip(b"=")
        try:
            yield base64.b64decode(text[: len(text) // 4 * 4])
        except binascii.Error:
            continue
