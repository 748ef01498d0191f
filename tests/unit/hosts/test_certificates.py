"""Certificates that are found in what a host prints."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proving_ground.hosts.certificates import certificate_of, certificates_in

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def made(name: str, days: float) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - dt.timedelta(days=400))
        .not_valid_after(NOW + dt.timedelta(days=days))
        .sign(KEY, hashes.SHA256())
    )


def pem(name: str, days: float) -> str:
    return made(name, days).public_bytes(serialization.Encoding.PEM).decode()


def test_every_certificate_of_a_file_is_found() -> None:
    found = certificates_in("/pki/a.pem", f"noise\n{pem('a', 10)}more\n{pem('b', -1)}")

    assert [(one.where, one.subject, one.days(NOW)) for one in found] == [
        ("/pki/a.pem", "CN=a", 10.0),
        ("/pki/a.pem", "CN=b", -1.0),
    ]


@pytest.mark.parametrize("field", ["client-certificate-data", "certificate-authority-data"])
def test_certificates_inside_a_kubeconfig_are_found(field: str) -> None:
    text = f"    {field}: {base64.b64encode(pem('admin', 5).encode()).decode()}\n"

    assert [one.subject for one in certificates_in("/etc/kubernetes/admin.conf", text)] == ["CN=admin"]


def test_a_certificate_of_a_handshake_is_read() -> None:
    der = made("kube-apiserver", 1).public_bytes(serialization.Encoding.DER)

    assert certificate_of("10.64.0.11:6443", der).subject == "CN=kube-apiserver"


@pytest.mark.parametrize("text", ["", "nothing here", "-----BEGIN CERTIFICATE-----\nAAAA", "client-key-data: AAAA"])
def test_a_text_without_certificates_has_none(text: str) -> None:
    assert certificates_in("/pki/a.pem", text) == []


def test_a_certificate_that_cannot_be_read_is_told_with_its_file() -> None:
    with pytest.raises(ValueError, match=r"/pki/a.pem: its certificate cannot be read"):
        certificates_in("/pki/a.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")


def test_an_embedded_certificate_that_is_cut_is_told_with_its_file() -> None:
    with pytest.raises(ValueError, match=r"/a.conf: what it embeds"):
        certificates_in("/a.conf", "client-certificate-data: AAAAA")
