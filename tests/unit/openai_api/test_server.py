"""The server under test, as platform.json tells it, and what checks ask of it."""

from __future__ import annotations

import datetime as dt
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from proving_ground.contracts.platform import Capabilities, Clock, Endpoint, Platform, System
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.openai_api.client import Answer, RequestError
from proving_ground.openai_api.server import Server, Target, further, resident_bytes, target_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.openai_api.client import Client
    from proving_ground.plugin.check_run import CheckRun


def platform(parameters: dict[str, object] | None = None, **endpoint: Any) -> Platform:
    return Platform(
        run_id="r1",
        inventory="sim",
        endpoints={"inference": Endpoint(**endpoint)} if endpoint else {},
        systems={"inference": System(implementation="existing", parameters=parameters or {})},
        clock=Clock(started=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    )


def server(name: str = "") -> tuple[Server, dict[str, object]]:
    properties: dict[str, object] = {}
    check = SimpleNamespace(property=properties.__setitem__)
    return Server(Target("http://x", name), cast("Client", None), cast("CheckRun", check)), properties


def answer(status: int, body: bytes = b"{}") -> Answer:
    return Answer("POST /v1/x", status, {}, body, 0.1)


def test_the_target_is_what_the_platform_says() -> None:
    found = target_of(
        platform({"server": "llama.cpp", "model": "m", "model_kind": "random", "pid": 7}, url="http://127.0.0.1:1/v1/")
    )
    assert (found.url, found.server, found.model, found.random, found.pid) == (
        "http://127.0.0.1:1",
        "llama.cpp",
        "m",
        True,
        7,
    )


def test_a_platform_without_the_endpoint_is_an_infrastructure_error() -> None:
    with pytest.raises(InfrastructureError, match="no endpoint 'inference'"):
        target_of(platform())


def test_further_servers_are_systems_with_an_endpoint_that_speak_the_api() -> None:
    openai = System(implementation="existing", parameters={"api": "openai"})
    found = platform(url="http://x").model_copy(
        update={
            "endpoints": {name: Endpoint(url="http://x") for name in ("inference", "second", "metrics")},
            "systems": {
                "inference": openai,
                "second": openai,
                "metrics": System(implementation="existing"),
                "nowhere": openai,
            },
        }
    )
    assert further(found) == ["second"]


def test_a_server_that_is_promised_and_not_there_is_an_infrastructure_error() -> None:
    promising = Capabilities(promised=["dynamo", "kubernetes"])
    found = platform(url="http://x").model_copy(update={"capabilities": promising})
    assert further(found) == ["dynamo"]
    with pytest.raises(InfrastructureError, match="no endpoint 'dynamo', which inventory 'sim' promises"):
        target_of(found, "dynamo")


def test_the_token_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")
    assert target_of(platform(url="http://x", auth=str(path))).token == "secret"
    with pytest.raises(InfrastructureError, match="none"):
        _ = target_of(platform(url="http://x", auth=str(tmp_path / "none"))).token


@pytest.mark.parametrize("value", ["ten", 0, -1, True, None])
def test_a_parameter_that_is_no_number_above_zero_is_refused(value: object) -> None:
    target = Target("http://x", parameters={"sequence": value})
    with pytest.raises(ConfigurationError, match="sequence"):
        target.number("sequence", 3)
    assert target.number("other", 3) == 3.0


def test_a_rule_that_does_not_hold_fails_unless_the_server_is_known_for_it() -> None:
    strict, _ = server()
    with pytest.raises(AssertionError, match=r"no id \[request-id\]"):
        strict.require("request-id", False, "no id")
    known, told = server("llama.cpp")
    known.require("request-id", False, "no id")
    assert "tolerated" in str(told["tolerated"])


def test_a_refusal_has_a_status_of_the_client_and_an_error_body() -> None:
    good = b'{"error": {"message": "no", "type": "t", "param": null, "code": null}}'
    judge, _ = server()
    judge.refused(answer(400, good), "x")
    with pytest.raises(AssertionError, match="found 200"):
        judge.refused(answer(200), "x")
    with pytest.raises(AssertionError, match="found 500"):
        judge.refused(answer(500, good), "x")
    with pytest.raises(AssertionError, match="is missing"):
        judge.refused(answer(422, b'{"detail": "no"}'), "x")
    with pytest.raises(RequestError, match="expected JSON"):
        judge.refused(answer(400, b"no"), "x")


def test_the_text_of_an_answer_is_that_of_its_first_choice() -> None:
    assert text_of({"choices": [{"text": "a"}, {"text": "b"}]}) == "a"
    assert text_of({"choices": [{"message": {"content": None}}]}) == ""


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"text": 7}]}, {"choices": 7}])
def test_an_answer_without_a_text_is_told(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="expected a"):
        text_of(body)


def test_the_memory_of_a_process_can_be_read_and_that_of_none_cannot() -> None:
    assert resident_bytes(os.getpid()) > 2**20
    with pytest.raises(InfrastructureError, match="process 0"):
        resident_bytes(0)
