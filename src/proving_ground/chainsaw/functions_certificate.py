"""``x509_decode``: a certificate, or a request for one, with the fields that Go gives them.

Fields that come from extensions are there where the extension is; each extension is in ``Extensions``, too
(https://pkg.go.dev/crypto/x509#Certificate).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from proving_ground.chainsaw.signatures import Registry, failed

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

REGISTRY = Registry()

_NAMES = {
    "2.5.4.6": "Country",
    "2.5.4.10": "Organization",
    "2.5.4.11": "OrganizationalUnit",
    "2.5.4.7": "Locality",
    "2.5.4.8": "Province",
    "2.5.4.9": "StreetAddress",
    "2.5.4.17": "PostalCode",
    "2.5.4.5": "SerialNumber",
    "2.5.4.3": "CommonName",
}
_ONE_ONLY = ("SerialNumber", "CommonName")
_ALGORITHMS = {
    "1.2.840.113549.1.1.4": 2,
    "1.2.840.113549.1.1.5": 3,
    "1.2.840.113549.1.1.11": 4,
    "1.2.840.113549.1.1.12": 5,
    "1.2.840.113549.1.1.13": 6,
    "1.2.840.10045.4.3.2": 10,
    "1.2.840.10045.4.3.3": 11,
    "1.2.840.10045.4.3.4": 12,
}
_RSA = 1
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_PURPOSES = {
    "2.5.29.37.0": 0,
    "1.3.6.1.5.5.7.3.1": 1,
    "1.3.6.1.5.5.7.3.2": 2,
    "1.3.6.1.5.5.7.3.3": 3,
    "1.3.6.1.5.5.7.3.4": 4,
    "1.3.6.1.5.5.7.3.8": 8,
    "1.3.6.1.5.5.7.3.9": 9,
}


@REGISTRY.register("x509_decode", "string")
def _x509_decode(text: str) -> dict[str, Any]:
    from cryptography import x509  # noqa: PLC0415  # rare, and not for free
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    content = text.encode()
    decoded: x509.Certificate | x509.CertificateSigningRequest
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            decoded = x509.load_pem_x509_certificate(content)
        elif b"-----BEGIN CERTIFICATE REQUEST-----" in content:
            decoded = x509.load_pem_x509_csr(content)
        else:
            raise failed("x509_decode() takes a certificate or a certificate request in PEM")
        key = decoded.public_key()
    except ValueError as error:
        raise failed(f"x509_decode(): {error}") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise failed("x509_decode() takes certificates with an RSA key only, as Chainsaw does")
    numbers = key.public_numbers()
    own = _certificate(decoded) if isinstance(decoded, x509.Certificate) else _request(decoded)
    return {
        **own,
        "PublicKey": {"N": str(numbers.n), "E": numbers.e},
        "PublicKeyAlgorithm": _RSA,
        "RawSubjectPublicKeyInfo": _base64(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        "Signature": _base64(decoded.signature),
        "SignatureAlgorithm": _ALGORITHMS.get(decoded.signature_algorithm_oid.dotted_string, 0),
        "Subject": _name(decoded.subject),
        "RawSubject": _base64(decoded.subject.public_bytes()),
        "Extensions": _extensions(decoded.extensions),
        **_alternatives(decoded.extensions),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _numbers(dotted: str) -> list[int]:
    return [int(part) for part in dotted.split(".")]


def _name(name: x509.Name) -> dict[str, Any]:
    result: dict[str, Any] = {
        field: "" if field in _ONE_ONLY else None for field in (*_NAMES.values(), "Names", "ExtraNames")
    }
    names = []
    for attribute in name:
        names.append({"Type": _numbers(attribute.oid.dotted_string), "Value": attribute.value})
        field = _NAMES.get(attribute.oid.dotted_string)
        if field in _ONE_ONLY:
            result[str(field)] = attribute.value
        elif field is not None:
            result[field] = [*(result[field] or []), attribute.value]
    result["Names"] = names or None
    return result


def _extensions(extensions: x509.Extensions) -> list[dict[str, Any]] | None:
    return [
        {
            "Id": _numbers(extension.oid.dotted_string),
            "Critical": extension.critical,
            "Value": _base64(extension.value.public_bytes()),
        }
        for extension in extensions
    ] or None


def _alternatives(extensions: x509.Extensions) -> dict[str, Any]:
    from cryptography import x509  # noqa: PLC0415

    result: dict[str, Any] = dict.fromkeys(("DNSNames", "EmailAddresses", "IPAddresses", "URIs"))
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            result["DNSNames"] = value.get_values_for_type(x509.DNSName) or None
            result["EmailAddresses"] = value.get_values_for_type(x509.RFC822Name) or None
            result["IPAddresses"] = [str(address) for address in value.get_values_for_type(x509.IPAddress)] or None
            result["URIs"] = list(map(_uri, value.get_values_for_type(x509.UniformResourceIdentifier))) or None
    return result


def _uri(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    return {
        "Scheme": parts.scheme,
        "Host": parts.netloc,
        "Path": parts.path,
        "RawQuery": parts.query,
        "Fragment": parts.fragment,
        "RawFragment": "",
        "RawPath": "",
        "Opaque": "",
        "User": None,
        "ForceQuery": False,
        "OmitHost": False,
    }


def _request(request: x509.CertificateSigningRequest) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return {
        "Raw": _base64(request.public_bytes(Encoding.DER)),
        "RawTBSCertificateRequest": _base64(request.tbs_certrequest_bytes),
        "Version": 0,
    }


def _certificate(certificate: x509.Certificate) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return {
        "Raw": _base64(certificate.public_bytes(Encoding.DER)),
        "RawTBSCertificate": _base64(certificate.tbs_certificate_bytes),
        "RawIssuer": _base64(certificate.issuer.public_bytes()),
        "Version": certificate.version.value + 1,
        "SerialNumber": certificate.serial_number,
        "Issuer": _name(certificate.issuer),
        "NotBefore": _time(certificate.not_valid_before_utc),
        "NotAfter": _time(certificate.not_valid_after_utc),
        **_constraints(certificate.extensions),
    }


def _constraints(extensions: x509.Extensions) -> dict[str, Any]:
    from cryptography import x509  # noqa: PLC0415

    result: dict[str, Any] = {
        "BasicConstraintsValid": False,
        "IsCA": False,
        "MaxPathLen": 0,
        "MaxPathLenZero": False,
        "KeyUsage": 0,
        **dict.fromkeys(("ExtKeyUsage", "UnknownExtKeyUsage", "SubjectKeyId", "AuthorityKeyId")),
    }
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            length = -1 if value.path_length is None else value.path_length
            result |= {"BasicConstraintsValid": True, "IsCA": value.ca, "MaxPathLen": length}
            result["MaxPathLenZero"] = length == 0
        elif isinstance(value, x509.KeyUsage):
            result["KeyUsage"] = sum(getattr(value, f"_{name}") << bit for bit, name in enumerate(_USAGES))
        elif isinstance(value, x509.ExtendedKeyUsage):
            purposes = [purpose.dotted_string for purpose in value]
            result["ExtKeyUsage"] = [_PURPOSES[purpose] for purpose in purposes if purpose in _PURPOSES] or None
            unknown = [_numbers(purpose) for purpose in purposes if purpose not in _PURPOSES]
            result["UnknownExtKeyUsage"] = unknown or None
        elif isinstance(value, x509.SubjectKeyIdentifier):
            result["SubjectKeyId"] = _base64(value.digest)
        elif isinstance(value, x509.AuthorityKeyIdentifier) and value.key_identifier is not None:
            result["AuthorityKeyId"] = _base64(value.key_identifier)
    return result
