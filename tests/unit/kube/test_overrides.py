"""What goes before a kubeconfig: options as kubectl has them."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube.connection import Connection
from proving_ground.kube.credentials import written
from proving_ground.kube.kubeconfig import Access, read_access, with_context
from proving_ground.kube.overrides import Overrides

if TYPE_CHECKING:
    from pathlib import Path

CA = base64.b64encode(b"CA").decode()
HEADERS = (
    ("Impersonate-User", "jane"),
    ("Impersonate-Uid", "7"),
    ("Impersonate-Group", "a"),
    ("Impersonate-Group", "b"),
)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    document: dict[str, Any] = {
        "current-context": "a",
        "contexts": [
            {"name": "a", "context": {"cluster": "a", "user": "a"}},
            {"name": "b", "context": {"cluster": "b", "user": "b"}},
        ],
        "clusters": [
            {"name": "a", "cluster": {"server": "https://a.test", "certificate-authority-data": CA}},
            {"name": "b", "cluster": {"server": "https://b.test"}},
        ],
        "users": [{"name": "a", "user": {"tokenFile": "token"}}, {"name": "b", "user": {"token": "b"}}],
    }
    path.write_text(yaml.safe_dump(document))
    (tmp_path / "token").write_text("from-a-file")
    return path


def accesses(kubeconfig: Path, overrides: Overrides) -> list[Access]:
    """Return what we read, and what a program reads from the kubeconfig that is made for it."""
    with with_context(kubeconfig, None, overrides) as copy:
        return [read_access(kubeconfig, None, overrides), read_access(copy)]


def test_context_cluster_and_user_are_chosen_by_name(kubeconfig: Path) -> None:
    for access in accesses(kubeconfig, Overrides(context="b")):
        assert (access.server, access.token) == ("https://b.test", "b")
    for access in accesses(kubeconfig, Overrides(cluster="b")):
        assert (access.server, written(access).authorization) == ("https://b.test", "Bearer from-a-file")
    for access in accesses(kubeconfig, Overrides(user="b")):
        assert (access.server, access.token) == ("https://a.test", "b")


@pytest.mark.parametrize("overrides", [Overrides(context="z"), Overrides(cluster="z"), Overrides(user="z")])
def test_a_name_that_the_kubeconfig_does_not_have_is_refused(kubeconfig: Path, overrides: Overrides) -> None:
    with pytest.raises(ConfigurationError, match="named 'z'"):
        read_access(kubeconfig, None, overrides)
    with pytest.raises(ConfigurationError, match="'z'"), with_context(kubeconfig, None, overrides):
        pass


def test_how_the_server_is_reached_can_be_told(kubeconfig: Path) -> None:
    overrides = Overrides(server="https://other.test:1", proxy_url="http://proxy.test:2", tls_server_name="kubernetes")
    for access in accesses(kubeconfig, overrides):
        assert access.server == "https://other.test:1"
        assert (access.proxy, access.server_name, access.ca) == ("http://proxy.test:2", "kubernetes", b"CA")


def test_not_to_verify_goes_without_a_certificate_authority(kubeconfig: Path) -> None:
    for access in accesses(kubeconfig, Overrides(insecure_skip_tls_verify=True)):
        assert (access.insecure, access.ca) == (True, None)


def test_another_certificate_authority_goes_before_that_of_the_kubeconfig(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "ca.pem").write_bytes(b"OTHER")
    monkeypatch.chdir(tmp_path / "here")
    for access in accesses(kubeconfig, Overrides(certificate_authority="ca.pem")):
        assert access.ca == b"OTHER"


def test_another_token_goes_before_that_of_the_kubeconfig(kubeconfig: Path) -> None:
    for access in accesses(kubeconfig, Overrides(token="mine")):  # no secret
        assert written(access).authorization == "Bearer mine"
    pair = base64.b64encode(b"me:hidden").decode()
    overrides = Overrides(user="b", username="me", password="hidden")  # no secret
    for access in accesses(kubeconfig, overrides):
        assert written(access).authorization == f"Basic {pair}"
    assert "hidden" not in repr(overrides)


def test_somebody_else_is_impersonated_by_headers(kubeconfig: Path) -> None:
    for access in accesses(kubeconfig, Overrides(as_user="jane", as_groups=("a", "b"), as_uid="7")):
        assert access.impersonate == HEADERS


def test_groups_alone_cannot_be_impersonated(kubeconfig: Path) -> None:
    with pytest.raises(ConfigurationError, match="without a user"):
        read_access(kubeconfig, None, Overrides(as_groups=("system:masters",)))


def test_extra_fields_of_the_kubeconfig_are_encoded(kubeconfig: Path) -> None:
    document = yaml.safe_load(kubeconfig.read_text())
    document["users"][0]["user"] |= {"as": "jane", "as-user-extra": {"acme.com/project": ["x", "y"]}}
    kubeconfig.write_text(yaml.safe_dump(document))
    header = "Impersonate-Extra-acme.com%2Fproject"
    assert read_access(kubeconfig).impersonate == (("Impersonate-User", "jane"), (header, "x"), (header, "y"))


def test_who_cannot_impersonate_refuses_instead_of_acting_as_the_user_itself(kubeconfig: Path) -> None:
    with pytest.raises(ConfigurationError, match="impersonate"):
        written(read_access(kubeconfig, None, Overrides(as_user="jane")))


def test_a_server_that_is_told_needs_no_context(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\n")
    overrides = Overrides(server="https://a.test", token="t")  # no secret
    for access in accesses(path, overrides):
        assert (access.server, access.token) == ("https://a.test", "t")


def test_a_time_for_requests_needs_no_copy_of_the_kubeconfig(kubeconfig: Path) -> None:
    with with_context(kubeconfig, None, Overrides(request_timeout=5.0)) as path:
        assert path == kubeconfig


def test_the_copy_is_private_and_goes_away(kubeconfig: Path) -> None:
    with with_context(kubeconfig, None, Overrides(as_user="jane")) as path:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert yaml.safe_load(path.read_text())["users"][0]["user"]["as"] == "jane"
    assert not path.exists()


def test_a_request_that_takes_longer_than_its_time_is_given_up() -> None:
    async def scenario() -> None:
        never = asyncio.Event()

        async def silent(_request: web.BaseRequest) -> web.StreamResponse:
            await never.wait()
            raise AssertionError("unreachable")

        runner = web.ServerRunner(web.Server(silent, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        connection = Connection(
            Access(f"http://127.0.0.1:{runner.addresses[0][1]}"), patience=0.0, request_timeout=0.02
        )
        connection._prepare()
        try:
            async with asyncio.timeout(5):
                with pytest.raises(InfrastructureError, match="TimeoutError"):
                    await connection.request("GET", "/version")
        finally:
            await connection.close()
            await runner.cleanup()

    asyncio.run(scenario())
