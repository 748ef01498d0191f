"""``x509_decode``; the fields and their forms were seen with Go."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.expressions import compile_expression


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  # never used, and quick to make


NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "a"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "b"),
        x509.NameAttribute(NameOID.COMMON_NAME, "test"),
    ]
)


def certificate(key: Any, *extensions: tuple[x509.ExtensionType, bool]) -> str:
    start = dt.datetime(2024, 1, 31, 12, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 7, start, start + dt.timedelta(days=1))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def decode(pem: str, expression: str = "x509_decode(@)") -> Any:
    return compile_expression(expression).evaluate(pem, {})


def test_a_certificate_has_the_fields_that_go_gives_it() -> None:
    found = decode(certificate(rsa_key()))

    assert found["Subject"]["CommonName"] == found["Issuer"]["CommonName"] == "test"
    assert found["Subject"]["OrganizationalUnit"] == ["a", "b"]
    assert found["Subject"]["Organization"] is None
    assert found["Subject"]["Names"][0] == {"Type": [2, 5, 4, 6], "Value": "DE"}
    assert (found["NotBefore"], found["NotAfter"]) == ("2024-01-31T12:00:00Z", "2024-02-01T12:00:00Z")
    assert (found["SerialNumber"], found["Version"]) == (7, 3)
    assert (found["PublicKeyAlgorithm"], found["SignatureAlgorithm"]) == (1, 4)
    assert found["PublicKey"] == {"N": str(rsa_key().public_key().public_numbers().n), "E": 65537}
    assert (found["DNSNames"], found["Extensions"], found["IsCA"]) == (None, None, False)


def test_extensions_become_fields() -> None:
    alternatives = [
        x509.DNSName("a.example"),
        x509.DNSName("b.example"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.RFC822Name("x@example.org"),
        x509.UniformResourceIdentifier("https://example.org/p?q"),
    ]
    found = decode(
        certificate(
            rsa_key(),
            (x509.SubjectAlternativeName(alternatives), False),
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=True,
                    **dict.fromkeys(("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), False),
                    encipher_only=False,
                    decipher_only=False,
                ),
                True,
            ),
        )
    )

    assert found["DNSNames"] == ["a.example", "b.example"]
    assert (found["IPAddresses"], found["EmailAddresses"]) == (["10.0.0.1"], ["x@example.org"])
    assert [(uri["Scheme"], uri["Host"], uri["Path"], uri["RawQuery"]) for uri in found["URIs"]] == [
        ("https", "example.org", "/p", "q")
    ]
    assert (found["BasicConstraintsValid"], found["IsCA"], found["MaxPathLen"], found["MaxPathLenZero"]) == (
        *(True, True, 0),
        True,
    )
    assert (found["KeyUsage"], found["ExtKeyUsage"]) == (5, [1, 2])
    assert [extension["Critical"] for extension in found["Extensions"]] == [False, True, False, True]


def test_a_request_is_read_too() -> None:
    request = x509.CertificateSigningRequestBuilder(NAME).sign(rsa_key(), SHA256())
    pem = request.public_bytes(Encoding.PEM).decode()

    assert decode(pem, "x509_decode(@).Subject.CommonName") == "test"


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        ("", "in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x509_decode"),
        (certificate(ec.generate_private_key(ec.SECP256R1())), "RSA key only"),
    ],
)
def test_what_is_no_certificate_is_refused(pem: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        decode(pem)
