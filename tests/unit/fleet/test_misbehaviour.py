"""Faults of an inference server, as data, and embeddings."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from proving_ground.fleet.behaviour import KNOWN_FAULTS, behaviour_of
from proving_ground.fleet.factories.answers import ApiError
from proving_ground.fleet.factories.embeddings import EmbeddingRequest, embeddings
from proving_ground.fleet.factories.misbehaviour import FAULTS
from proving_ground.fleet.views import ContainerView, PodView

ROOT = Path(__file__).resolve().parents[3]
SUITES = ROOT / "tests" / "suites" / "inference"
NO_SENSE = "nonsense"
"""The one fault that the mock shows whether it is told or not."""


def test_no_fault_of_a_server_is_one_of_its_pod() -> None:
    assert not FAULTS & KNOWN_FAULTS


@pytest.mark.parametrize("suite", ["smoke", "integration", "contract"])
def test_every_fault_of_a_suite_is_one_that_the_server_can_show(suite: str) -> None:
    faults = yaml.safe_load((SUITES / suite / "suite.yml").read_text())["faults"]
    assert set(faults) - {NO_SENSE} <= FAULTS


def test_every_fault_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "openai-api.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) >= FAULTS


def test_a_pod_is_told_the_faults_of_its_server_too() -> None:
    pod = PodView(
        namespace="n",
        name="p",
        uid="u",
        node="gpu-1",
        labels={},
        annotations={"proving.ground/fault": "hangs, wrong-model, of-another-system"},
        containers=(ContainerView("main", "docker.io/vllm/vllm-openai:v0.11.0"),),
    )
    behaviour = behaviour_of(pod, None, ["openai"])
    assert behaviour.wrong_model
    assert behaviour.misbehaviours == {"hangs"}


def test_embeddings_are_repeatable_numbered_and_of_length_one() -> None:
    request = EmbeddingRequest(input=["one", "two"])
    body = embeddings(request, "m")
    assert body == embeddings(request, "m")
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert body["data"][0]["embedding"] != body["data"][1]["embedding"]
    assert math.isclose(math.hypot(*body["data"][0]["embedding"]), 1.0)
    assert body["usage"]["prompt_tokens"] == 2


@pytest.mark.parametrize("given", [[], 7, None, [1]])
def test_an_input_that_is_no_text_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        EmbeddingRequest.model_validate({"input": given})


@pytest.mark.parametrize("given", [{"input": ""}, {"input": "a", "model": "other"}])
def test_an_empty_input_and_another_model_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ApiError):
        embeddings(EmbeddingRequest.model_validate(given), "m")
