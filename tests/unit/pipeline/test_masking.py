from __future__ import annotations

import base64
import json
from pathlib import Path

from proving_ground.pipeline.masking import mask_directory, mask_text, secrets_of


def test_values_their_inner_json_and_their_base64_are_secrets(tmp_path: Path) -> None:
    inner = {"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz", "username": "short"}}}
    (tmp_path / "values.yaml").write_text(json.dumps({"hfToken": "hf_abcdef", "imagePullSecret": json.dumps(inner)}))
    found = secrets_of(tmp_path)
    assert {"hf_abcdef", "dXNlcjpwYXNz", base64.b64encode(b"hf_abcdef").decode()} <= set(found)
    assert "short" not in found


def test_keys_of_kubeconfigs_are_secrets_and_their_servers_are_not(tmp_path: Path) -> None:
    config = {
        "clusters": [{"cluster": {"server": "https://127.64.0.1:6443"}}],
        "users": [{"user": {"client-key-data": "S0VZREFUQQ==", "token": "tokentoken"}}],
    }
    (tmp_path / "admin.kubeconfig").write_text(json.dumps(config))
    found = secrets_of(tmp_path)
    assert "S0VZREFUQQ==" in found
    assert "tokentoken" in found
    assert not any("127.64.0.1" in secret for secret in found)


def test_the_longest_secret_is_replaced_first() -> None:
    assert mask_text("abcdefgh", ["abcdefgh", "abcdef"]) == "***"


def test_files_that_hold_a_secret_are_rewritten_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.log").write_bytes(b"\xff token=tokentoken \x00")
    (tmp_path / "two.log").write_text("nothing")
    before = (tmp_path / "two.log").stat().st_mtime_ns
    assert mask_directory(tmp_path, ["tokentoken"]) == [tmp_path / "a/one.log"]
    assert (tmp_path / "a/one.log").read_bytes() == b"\xff token=*** \x00"
    assert (tmp_path / "two.log").stat().st_mtime_ns == before


def test_broken_values_do_not_stop_the_masking_of_the_rest(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("{")
    (tmp_path / "mask.txt").write_text("maskedvalue\n")
    assert "maskedvalue" in secrets_of(tmp_path)
