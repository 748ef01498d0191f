from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proving.ground.plugins.modules import cluster_certificates as certificates
from cryptography import x509

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def parameters(directory: Path, **changes: Any) -> dict[str, Any]:
    return {
        "directory": str(directory / "pki"),
        "kubeconfig_directory": str(directory / "kubeconfig"),
        "server": "https://127.64.0.1:6443",
        "cluster": "simulated",
        "addresses": ["127.64.0.1"],
        "names": ["localhost"],
        "clients": [{"name": "admin", "groups": ["system:masters"]}],
        "validity_hours": 72,
        "renew_hours": 12,
    } | changes


def certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "pki" / f"{name}.crt").read_bytes())


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    first = certificates.converge(parameters(tmp_path), NOW, check=False)
    second = certificates.converge(parameters(tmp_path), NOW, check=False)
    assert first["changed"]
    assert second["made"] == []


def test_check_mode_tells_and_writes_nothing(tmp_path: Path) -> None:
    result = certificates.converge(parameters(tmp_path), NOW, check=True)
    assert "ca.crt" in result["made"]
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_private(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_may_read_is_made_private_again(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    (tmp_path / "pki/ca.key").chmod(0o644)
    result = certificates.converge(parameters(tmp_path), NOW, check=False)
    assert result["made"] == ["ca.key"]


def test_certificates_near_their_end_are_renewed(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    later = NOW + dt.timedelta(hours=61)
    result = certificates.converge(parameters(tmp_path), later, check=False)
    assert {"ca.crt", "apiserver.crt", "admin.kubeconfig"} <= set(result["made"])
    assert "service-account.key" not in result["made"]
    assert certificate(tmp_path, "apiserver").not_valid_after_utc == later + dt.timedelta(hours=72)


def test_new_addresses_renew_serving_certificates_only(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    result = certificates.converge(parameters(tmp_path, addresses=["127.65.0.1"]), NOW, check=False)
    assert {Path(name).stem for name in result["made"]} == {"apiserver", "serving", "etcd"}


def test_a_new_authority_makes_all_that_it_signed_anew(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    (tmp_path / "pki/etcd-ca.key").unlink()
    result = certificates.converge(parameters(tmp_path), NOW, check=False)
    assert {Path(name).stem for name in result["made"]} == {"etcd-ca", "etcd", "apiserver-etcd-client"}


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff\x00\xfe"])
def test_a_broken_certificate_is_replaced(tmp_path: Path, content: bytes) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    (tmp_path / "pki/apiserver.crt").write_bytes(content)
    result = certificates.converge(parameters(tmp_path), NOW, check=False)
    assert result["made"] == ["apiserver.crt", "apiserver.key"]


def test_a_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    (tmp_path / "pki/apiserver.key").write_bytes((tmp_path / "pki/etcd.key").read_bytes())
    result = certificates.converge(parameters(tmp_path), NOW, check=False)
    assert result["made"] == ["apiserver.crt", "apiserver.key"]


def test_the_api_server_is_valid_for_addresses_and_names(tmp_path: Path) -> None:
    certificates.converge(parameters(tmp_path), NOW, check=False)
    names = certificate(tmp_path, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.64.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_client_has_its_groups_and_a_kubeconfig(tmp_path: Path) -> None:
    client = {"name": "engine", "user": "aim:engine", "groups": ["engines", "readers"]}
    result = certificates.converge(parameters(tmp_path, clients=[client]), NOW, check=False)
    assert certificate(tmp_path, "engine").subject.rfc4514_string() == "CN=aim:engine,O=readers,O=engines"
    content = yaml.safe_load(Path(result["kubeconfigs"]["engine"]).read_text())
    assert content["clusters"][0]["cluster"]["server"] == "https://127.64.0.1:6443"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb", "", "A", "x" * 300, "ca", "service-account"])
def test_a_hostile_or_taken_client_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="client name"):
        certificates.converge(parameters(tmp_path, clients=[{"name": name}]), NOW, check=False)


def test_two_clients_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="taken"):
        certificates.converge(parameters(tmp_path, clients=[{"name": "a"}, {"name": "a"}]), NOW, check=False)


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        certificates.converge(parameters(tmp_path, addresses=["nowhere"]), NOW, check=False)


def test_a_validity_shorter_than_the_renewal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="renew_hours"):
        certificates.converge(parameters(tmp_path, validity_hours=12), NOW, check=False)
