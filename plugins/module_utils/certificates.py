# Apache-2.0 (see LICENSE)
"""The certificates that a Kubernetes control plane needs, and how each is made."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
SAFE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Wanted:
    """One certificate as it should be; `authority` is the name of the signer, None for an authority."""

    name: str
    subject: str
    authority: str | None = None
    groups: tuple[str, ...] = ()
    usages: tuple[x509.ObjectIdentifier, ...] = ()
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> tuple[bytes, bytes]:
        """Return certificate and key as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM), private_pem(self.key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as unencrypted PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def plan(cluster: str, addresses: list[str], names: list[str], clients: list[dict[str, Any]]) -> list[Wanted]:
    """Return the certificates that a control plane needs, signers before what they sign.

    The set is the one of kubeadm (https://kubernetes.io/docs/setup/best-practices/certificates/),
    with one client of etcd, and one serving certificate (`serving`) for everything but API server and etcd.

    Raises:
        ValueError: A client's name is no file name, is taken, or an address is none.
    """
    hosts = tuple(str(ipaddress.ip_address(address)) for address in addresses)
    dns = tuple(names)
    wanted = [
        Wanted("ca", f"{cluster}-ca"),
        Wanted("etcd-ca", f"{cluster}-etcd-ca"),
        Wanted("front-proxy-ca", f"{cluster}-front-proxy-ca"),
        Wanted("apiserver", "kube-apiserver", "ca", usages=(SERVER,), addresses=hosts, dns=dns),
        Wanted("serving", "control-plane", "ca", usages=(SERVER,), addresses=hosts, dns=dns),
        Wanted("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "ca", ("system:masters",), (CLIENT,)),
        Wanted("etcd", "etcd", "etcd-ca", usages=(SERVER, CLIENT), addresses=hosts, dns=dns),
        Wanted("apiserver-etcd-client", "kube-apiserver-etcd-client", "etcd-ca", usages=(CLIENT,)),
        Wanted("front-proxy-client", "front-proxy-client", "front-proxy-ca", usages=(CLIENT,)),
    ]
    taken = {each.name for each in wanted} | {"service-account"}
    for client in clients:
        name = client["name"]
        if not SAFE_NAME.fullmatch(name):
            raise ValueError(f"client name {name!r} is not of lower-case letters, digits, dots and dashes")
        if name in taken:
            raise ValueError(f"client name {name!r} is taken; each client needs a name of its own")
        taken.add(name)
        groups = tuple(client.get("groups") or ())
        wanted.append(Wanted(name, client.get("user") or name, "ca", groups, (CLIENT,)))
    return wanted


def subject_of(wanted: Wanted) -> x509.Name:
    """Return the subject: groups are organisations, the user is the common name."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in wanted.groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, wanted.subject)])


def alternative_names(wanted: Wanted) -> list[x509.GeneralName]:
    """Return the subject alternative names in a stable order."""
    dns: list[x509.GeneralName] = [x509.DNSName(name) for name in sorted(set(wanted.dns))]
    return dns + [x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(set(wanted.addresses))]


def is_current(wanted: Wanted, pair: Pair, signer: Pair | None, good_until: dt.datetime) -> bool:
    """Tell whether an existing pair is what is wanted, signed by the signer, and valid long enough."""
    certificate = pair.certificate
    if certificate.not_valid_after_utc <= good_until or certificate.subject != subject_of(wanted):
        return False
    if certificate.public_key() != pair.key.public_key():
        return False
    try:
        certificate.verify_directly_issued_by(signer.certificate if signer else certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    try:
        found = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        found = []
    return found == alternative_names(wanted)


def issue(wanted: Wanted, signer: Pair | None, now: dt.datetime, validity: dt.timedelta) -> Pair:
    """Make a key and its certificate, signed by the signer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = subject_of(wanted)
    is_authority = signer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(key_usage(is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    issuer_key = signer.key if signer else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
    )
    if wanted.usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(wanted.usages)), critical=False)
    if names := alternative_names(wanted):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(issuer_key, hashes.SHA256()), key)


def key_usage(is_authority: bool) -> x509.KeyUsage:
    """Return the key usage of an authority or of a leaf."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
