"""Reading a kubeconfig, and choosing a context for programs that read one."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.errors import ConfigurationError
from proving_ground.kube.kubeconfig import read_access, with_context

if TYPE_CHECKING:
    from pathlib import Path

V1 = "client.authentication.k8s.io/v1"


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


def config(**changes: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        **changes,
    }


def user(**fields: Any) -> dict[str, Any]:
    return config(users=[{"name": "u", "user": fields}])


def cluster(**fields: Any) -> dict[str, Any]:
    return config(clusters=[{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **fields}}])


def plugin(**fields: Any) -> dict[str, Any]:
    return user(exec={"command": "p", "apiVersion": V1, **fields})


def written(folder: Path, content: object) -> Path:
    path = folder / "kubeconfig"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_kubeconfig_is_read_by_its_current_context(tmp_path: Path) -> None:
    access = read_access(written(tmp_path, config()))
    assert (access.server, access.token, access.ca) == ("https://127.0.0.1:6443", "t", None)


def test_another_context_is_chosen_by_name(tmp_path: Path) -> None:
    contexts = [*config()["contexts"], {"name": "other", "context": {"cluster": "d"}}]
    clusters = [*config()["clusters"], {"name": "d", "cluster": {"server": "https://other.test/k8s/"}}]
    access = read_access(written(tmp_path, config(contexts=contexts, clusters=clusters)), "other")
    assert (access.server, access.user, access.token) == ("https://other.test/k8s", "", None)


def test_certificates_may_be_data_or_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    content = user(**{"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "key.pem"})
    access = read_access(written(tmp_path, content))
    assert (access.certificate, access.key) == (b"CERT", b"KEY")


def test_what_is_inline_goes_before_what_is_in_a_file(tmp_path: Path) -> None:
    data = base64.b64encode(b"CA").decode()
    content = cluster(**{"certificate-authority-data": data, "certificate-authority": "absent.pem"})
    assert read_access(written(tmp_path, content)).ca == b"CA"


def test_no_credential_is_in_the_representation(tmp_path: Path) -> None:
    hidden = base64.b64encode(b"hidden").decode()
    content = user(
        **{"token": "hidden", "password": "hidden", "client-key-data": hidden, "client-certificate-data": hidden},
        exec={"command": "p", "apiVersion": V1, "env": [{"name": "SECRET", "value": "hidden"}]},
    )
    assert "hidden" not in repr(read_access(written(tmp_path, content)))


def test_how_the_server_is_reached_and_verified_is_read(tmp_path: Path) -> None:
    content = cluster(
        **{"tls-server-name": "kubernetes", "insecure-skip-tls-verify": True, "proxy-url": "http://proxy.test:3128"}
    )
    access = read_access(written(tmp_path, content))
    assert (access.server_name, access.insecure, access.proxy) == ("kubernetes", True, "http://proxy.test:3128")


def test_a_plugin_is_read_with_all_that_it_is_given(tmp_path: Path) -> None:
    content = plugin(
        command="bin/p",
        args=["a", "b"],
        env=[{"name": "N", "value": "v"}],
        installHint="get it",
        interactiveMode="Never",
        provideClusterInfo=True,
    )
    found = read_access(written(tmp_path, content)).plugin
    assert found is not None
    assert found.command == str(tmp_path / "bin/p")
    assert (found.arguments, found.environment, found.hint) == (("a", "b"), (("N", "v"),), "get it")
    assert found.cluster == {"server": "https://127.0.0.1:6443", "config": None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "no mapping"),
        ("[", "not YAML"),
        ("[" * 1200, "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
        ("#" * (5 << 20), "larger than 4 MiB"),
        ({}, "no current-context"),
        (config(contexts=3), "contexts is no list"),
        (config(contexts=[3]), r"contexts\[0\] is no mapping"),
        (config(contexts=None), "contexts has no entry named 'main'"),
        (config(**{"current-context": "x" * 1000}), r"no entry named 'x{80}\.\.\.'"),
        (config(users=[]), "users has no entry named 'u'"),
        (config(users=config()["users"] * 2), "users has 2 entries named 'u'"),
        (config(users=[{"name": "u", "user": "t"}]), "user 'u' is no mapping"),
        (config(users=[{"name": ["u"], "user": {}}]), "no entry named 'u'"),
        (config(clusters=[{"name": "c", "cluster": {}}]), "no server"),
        (cluster(server=3), "server is no text"),
        (cluster(server="127.0.0.1:6443"), "no http:// or https:// URL"),
        (cluster(server="https://h:99999"), "no http:// or https:// URL"),
        (cluster(server="https://[::1"), "no http:// or https:// URL"),
        (cluster(server="https://h/\nx"), "no http:// or https:// URL"),
        (cluster(**{"proxy-url": "socks5://h:1"}), "proxy-url is no http:// or https:// URL"),
        (cluster(**{"insecure-skip-tls-verify": "yes please"}), "neither true nor false"),
        (cluster(**{"certificate-authority": "a\0b"}), "no path"),
        (user(token=3), "token is no text"),
        (user(**{"client-key-data": "###"}), "client-key cannot be read"),
        (user(**{"client-key": "absent.pem"}), "client-key cannot be read: No such file"),
        (user(**{"client-key-data": "AAAA"}), "client-certificate is missing"),
        (user(**{"auth-provider": {"name": "gcp"}}), "auth-provider cannot be honoured .*use exec"),
        (user(**{"as-uid": "7"}), "without a user"),
        (user(**{"as-groups": ["g"]}), "without a user"),
        (user(**{"as": "u", "as-groups": "g"}), "as-groups is no list"),
        (user(**{"as": "u", "as-user-extra": {"a": "b"}}), "as-user-extra is no mapping of lists"),
        (user(**{"as": "u\nImpersonate-Group: system:masters"}), "control characters"),
        (user(exec="p"), "exec is no mapping"),
        (plugin(command=""), "command is missing"),
        (plugin(apiVersion="client.authentication.k8s.io/v1alpha1"), "v1alpha1"),
        (plugin(args="a b"), "args is no list of texts"),
        (plugin(args=[1]), "args is no list of texts"),
        (plugin(env=[{"name": "a=b", "value": ""}]), "env has a name or a value"),
        (plugin(interactiveMode="Always"), "interactiveMode is Always"),
    ],
)
def test_a_broken_kubeconfig_is_refused_with_its_path(tmp_path: Path, content: object, expected: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigurationError, match=expected) as refusal:
        read_access(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_kubeconfig_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_access(tmp_path / "none")


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_access(tmp_path)


def test_the_password_of_a_proxy_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_access(written(tmp_path, cluster(**{"proxy-url": "ftp://me:hidden@h"})))
    assert "hidden" not in str(refusal.value)
