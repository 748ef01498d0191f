"""Tokens and certificates in files that people give."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.openai_api.access import token_in, trust_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "given"


@pytest.mark.parametrize("content", ["word", "word\n", "  word\r\n"])
def test_a_token_is_the_only_line_of_its_file(file: Path, content: str) -> None:
    file.write_text(content)
    assert token_in(str(file)) == "word"


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"a\nb\n", b"a\r\nx: y", b"two words", b"\xff\xfe", b"\x00", "ü".encode()]
)
def test_what_no_header_can_hold_is_no_token(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="expected a token") as refused:
        token_in(str(file))
    assert refused.value.where == str(file)


def test_a_token_that_is_not_there_cannot_be_read(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        token_in(str(file))


def test_without_a_file_those_are_trusted_whom_the_machine_trusts() -> None:
    assert trust_in(None) is True


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA==\n", b"\xff\xfe\x00"])
def test_a_file_without_certificates_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="expected certificates in PEM") as refused:
        trust_in(str(file))
    assert refused.value.where == str(file)


def test_certificates_that_are_not_there_cannot_be_read(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        trust_in(str(file))


def test_certificates_of_a_file_are_trusted(file: Path) -> None:
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        pytest.skip("this machine trusts nobody")
    file.write_text(ssl.DER_cert_to_PEM_cert(certificates[0]))
    trusted = trust_in(str(file))
    assert isinstance(trusted, ssl.SSLContext)
    assert trusted.get_ca_certs(binary_form=True) == certificates[:1]
