"""Which model is served, with scripts in place of the hub's client and gguf."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.servers import hub, model
from proving_ground.servers.model import HubFile, Wanted, name_of, provide

PYTHON = Path(sys.executable)
HUB = HubFile("org/Model-GGUF", "Model-Instruct-Q4_K_M.gguf")
WRITER = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(b'GGUF random')"
GIVING = """
import json, pathlib, sys
wanted = json.loads(sys.argv[1])
path = pathlib.Path(wanted["directory"]) / wanted["file"]
path.write_bytes(b"GGUF of the hub")
print(json.dumps({"path": str(path), "sha256": "0", "revision": "r", "bytes": 15}))
"""


@pytest.fixture(autouse=True)
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_RANDOM_SCRIPT", tmp_path / "random.py")
    (tmp_path / "random.py").write_text(WRITER)
    monkeypatch.setattr(hub, "_SCRIPT", tmp_path / "hub.py")
    (tmp_path / "hub.py").write_text(GIVING)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    reachable(monkeypatch, "")


def reachable(monkeypatch: pytest.MonkeyPatch, reason: str) -> list[str]:
    asked: list[str] = []

    def answer(url: str) -> str:
        asked.append(url)
        return reason

    monkeypatch.setattr(hub, "unreachable", answer)
    return asked


def served(tmp_path: Path, source: str = "auto", said: list[str] | None = None, **options: str) -> model.Model:
    say = (said if said is not None else []).append
    return provide(Wanted(source, hub=HUB, **options), tmp_path / "cache", python=PYTHON, say=say)


def test_the_hubs_file_is_served_where_the_hub_answers(tmp_path: Path) -> None:
    found = served(tmp_path)
    assert (found.name, found.kind, found.note) == ("Model-Instruct", "real", "")
    assert found.path.read_bytes() == b"GGUF of the hub"


def test_a_file_that_is_kept_is_served_without_asking_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = served(tmp_path)
    asked = reachable(monkeypatch, "no route")
    assert served(tmp_path) == first
    assert asked == []


def test_random_weights_are_served_where_no_hub_answers_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable(monkeypatch, "no route")
    said: list[str] = []
    found = served(tmp_path, said=said)
    assert (found.name, found.kind) == ("random", "random")
    assert "instead of Model-Instruct-Q4_K_M.gguf, since huggingface.co did not give it (no route)" in found.note
    assert said == [f"the model has {found.note}"]


def test_that_no_hub_answers_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable(monkeypatch, "no route")
    first = served(tmp_path)
    asked = reachable(monkeypatch, "")
    assert served(tmp_path) == first
    assert asked == []


def test_it_is_remembered_for_an_hour_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable(monkeypatch, "no route")
    served(tmp_path)
    reachable(monkeypatch, "")
    later = hub.time.time() + hub.REMEMBERED_SECONDS + 1
    monkeypatch.setattr(hub.time, "time", lambda: later)
    assert served(tmp_path).kind == "real"


@pytest.mark.parametrize("content", ["", "[]", "null", '{"until": "soon"}', "\x00"])
def test_a_broken_memory_counts_as_none(tmp_path: Path, content: str) -> None:
    memory = tmp_path / "cache/models/hub.json"
    memory.parent.mkdir(parents=True)
    memory.write_text(content)
    assert served(tmp_path).kind == "real"


def test_another_hub_is_asked_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable(monkeypatch, "no route")
    served(tmp_path)
    asked = reachable(monkeypatch, "")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert served(tmp_path).kind == "real"
    assert asked == ["https://hub.example"]


def test_no_hub_is_asked_where_the_environment_says_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = reachable(monkeypatch, "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in served(tmp_path).note
    assert asked == []


def test_a_hub_that_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "hub.py").write_text("import sys; sys.exit('401 Client Error')")
    found = served(tmp_path)
    assert found.kind == "random"
    assert "(401 Client Error)" in found.note


def test_random_weights_are_written_once(tmp_path: Path) -> None:
    first = served(tmp_path, "random")
    first.path.write_bytes(b"GGUF kept")
    assert served(tmp_path, "random").path.read_bytes() == b"GGUF kept"
    assert first.note == "random weights, as asked for: its text is nonsense"


def test_another_way_to_write_them_is_another_file(tmp_path: Path) -> None:
    first = served(tmp_path, "random")
    (tmp_path / "random.py").write_text(f"{WRITER}\n")
    assert served(tmp_path, "random").path != first.path


def test_random_weights_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('no numpy')")
    with pytest.raises(InfrastructureError, match="cannot be written: no numpy"):
        served(tmp_path, "random")


def test_ones_own_file_is_served_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "My-Model.Q8_0.gguf").write_bytes(b"GGUF")
    found = served(tmp_path, str(tmp_path / "My-Model.Q8_0.gguf"))
    assert (found.name, found.kind) == ("My-Model", "real")
    assert served(tmp_path, str(found.path), name="other").name == "other"


@pytest.mark.parametrize("content", [b"", b"GG", b"<html>", b"PK\x03\x04"])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ConfigurationError, match="expected a GGUF model, found a file that begins with"):
        served(tmp_path, str(tmp_path / "model.gguf"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere: expected a GGUF model: No such file"):
        served(tmp_path, str(tmp_path / "nowhere"))


def test_a_url_of_another_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"found ftp://host/model.gguf"):
        served(tmp_path, "ftp://host/model.gguf")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct-Q4_K_M.gguf", "SmolLM2-135M-Instruct"),
        ("llama.IQ2_XXS.gguf", "llama"),
        ("llama-f16.gguf", "llama"),
        ("a/b/plain.gguf", "plain"),
        (".gguf", "model"),
    ],
)
def test_a_model_is_named_after_its_file(file: str, name: str) -> None:
    assert name_of(file) == name
