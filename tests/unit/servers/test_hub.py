"""Whether a hub can be reached."""

from __future__ import annotations

import socket

import pytest

from proving_ground.servers import hub


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.urllib.request, "getproxies", dict)


def test_a_host_that_listens_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert hub.unreachable(f"http://127.0.0.1:{server.getsockname()[1]}") == ""


def test_a_host_that_refuses_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert hub.unreachable(f"http://127.0.0.1:{port}") == "Connection refused"


def test_a_name_server_that_does_not_answer_costs_only_the_time_given(monkeypatch: pytest.MonkeyPatch) -> None:
    never = hub.threading.Event()

    def hang(*_: object, **__: object) -> None:
        never.wait(5)
        raise OSError

    monkeypatch.setattr(hub.socket, "create_connection", hang)
    assert hub.unreachable("https://hub.example", 0.05) == "no answer within 0.05 s"
    never.set()


def test_a_proxy_is_what_must_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(hub.urllib.request, "getproxies", lambda: {"https": proxy})
        monkeypatch.setattr(hub.urllib.request, "proxy_bypass", lambda _host: 0)
        assert hub.unreachable("https://hub.example") == ""


@pytest.mark.parametrize("url", ["https://", "http://host:port", "nonsense"])
def test_nonsense_is_not_reached(url: str) -> None:
    assert hub.unreachable(url) != ""
