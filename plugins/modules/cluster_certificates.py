#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Make the whole PKI of one Kubernetes control plane, and its kubeconfigs, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_certificates
short_description: Make the certificates and kubeconfigs of a Kubernetes control plane
description:
  - Makes certificate authorities for the cluster, for etcd and for the front proxy, the serving and
    client certificates that the control plane needs, the key pair for service accounts, and one
    kubeconfig for each client, in one call. Keys are EC P-256.
  - Does nothing where everything is in place, still valid and made for the same names. A certificate
    that is near its end, or whose names changed, is made anew with a new key. Where an authority is
    made anew, so is everything that it signed.
  - Every file is private to its owner (mode 0600), in a directory of mode 0700.
options:
  directory:
    description: Where keys and certificates go.
    type: path
    required: true
  kubeconfig_directory:
    description: Where kubeconfigs go, as C(<name>.kubeconfig). The I(directory) if absent.
    type: path
  server:
    description: URL of the API server, as the kubeconfigs name it.
    type: str
    required: true
  cluster:
    description: Name of the cluster, in the kubeconfigs and in the authorities' names.
    type: str
    default: simulated
  addresses:
    description: IP addresses that the serving certificates are valid for.
    type: list
    elements: str
    required: true
  names:
    description: DNS names that the serving certificates are valid for.
    type: list
    elements: str
    default: [localhost, kubernetes, kubernetes.default, kubernetes.default.svc,
              kubernetes.default.svc.cluster.local]
  clients:
    description: Clients of the API server. Each gets a certificate and a kubeconfig.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the files.
        type: str
        required: true
      user:
        description: User name that the API server sees; the I(name) if absent.
        type: str
      groups:
        description: Groups that the API server sees.
        type: list
        elements: str
        default: []
  validity_hours:
    description: How long certificates are valid.
    type: int
    default: 72
  renew_hours:
    description: Certificates that end in less than this are made anew.
    type: int
    default: 12
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Make the certificates
  proving.ground.cluster_certificates:
    directory: /run/user/1000/cluster/pki
    server: https://127.64.0.1:6443
    addresses: [127.64.0.1, 127.64.240.1]
    clients:
      - {name: admin, groups: [system:masters]}
      - {name: kube-scheduler, user: "system:kube-scheduler"}
"""

RETURN = r"""
made:
  description: Names of the files that were made or renewed (in check mode, that would be).
  type: list
  elements: str
  returned: always
kubeconfigs:
  description: Path of each client's kubeconfig.
  type: dict
  returned: always
"""

import base64
import datetime as dt
import os
import pathlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils.certificates import (
    Pair,
    is_current,
    issue,
    plan,
    private_pem,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PRIVATE = 0o600


def kubeconfig(cluster: str, server: str, user: str, authority: bytes, certificate: bytes, key: bytes) -> bytes:
    """Return a kubeconfig with everything embedded; JSON would do, but people read this one as YAML."""
    encoded = [base64.b64encode(each).decode() for each in (authority, certificate, key)]
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {encoded[0]}
users:
- name: {user}
  user:
    client-certificate-data: {encoded[1]}
    client-key-data: {encoded[2]}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {user}
current-context: {cluster}
""".encode()


def read_pair(directory: pathlib.Path, name: str) -> Pair | None:
    """Return what is on disk under this name, or None where it is absent or not readable as such."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / f"{name}.key").read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    return Pair(certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def write_private(path: pathlib.Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class Files:
    """The files that are wanted, compared with those on disk; writes what differs unless only checking."""

    def __init__(self, *, check: bool) -> None:
        self.check = check
        self.made: list[str] = []

    def keep(self, path: pathlib.Path, content: bytes) -> None:
        """Make sure that the file has this content and mode 0600."""
        try:
            same = path.read_bytes() == content and path.stat().st_mode & 0o777 == PRIVATE
        except OSError:
            same = False
        if same:
            return
        self.made.append(path.name)
        if not self.check:
            write_private(path, content)

    def directory(self, path: pathlib.Path) -> None:
        """Make sure that the directory is there."""
        if not self.check:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)


def service_account_key(directory: pathlib.Path) -> ec.EllipticCurvePrivateKey:
    """Return the key that signs service account tokens: the existing one, or a new one."""
    try:
        key = serialization.load_pem_private_key((directory / "service-account.key").read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else ec.generate_private_key(ec.SECP256R1())


def converge(parameters: dict[str, Any], now: dt.datetime, *, check: bool) -> dict[str, Any]:
    """Bring the files to what is wanted; the result is the module's."""
    directory = pathlib.Path(parameters["directory"])
    kubeconfigs = pathlib.Path(parameters["kubeconfig_directory"] or directory)
    validity = dt.timedelta(hours=parameters["validity_hours"])
    good_until = now + dt.timedelta(hours=parameters["renew_hours"])
    if now + validity <= good_until:
        raise ValueError("validity_hours must be greater than renew_hours")
    cluster, server, clients = parameters["cluster"], parameters["server"], parameters["clients"]
    files = Files(check=check)
    files.directory(directory)
    files.directory(kubeconfigs)
    pairs: dict[str, Pair] = {}
    for wanted in plan(cluster, parameters["addresses"], parameters["names"], clients):
        signer = pairs[wanted.authority] if wanted.authority else None
        pair = read_pair(directory, wanted.name)
        if pair is None or not is_current(wanted, pair, signer, good_until):
            pair = issue(wanted, signer, now, validity)
        pairs[wanted.name] = pair
        certificate, key = pair.pem()
        files.keep(directory / f"{wanted.name}.crt", certificate)
        files.keep(directory / f"{wanted.name}.key", key)
    account = service_account_key(directory)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    files.keep(directory / "service-account.key", private_pem(account))
    files.keep(directory / "service-account.pub", account.public_key().public_bytes(serialization.Encoding.PEM, public))
    authority = pairs["ca"].pem()[0]
    paths = {client["name"]: kubeconfigs / f"{client['name']}.kubeconfig" for client in clients}
    for name, path in paths.items():
        files.keep(path, kubeconfig(cluster, server, name, authority, *pairs[name].pem()))
    return {
        "changed": bool(files.made),
        "made": files.made,
        "kubeconfigs": {name: str(path) for name, path in paths.items()},
    }


def main() -> None:
    """Run as an Ansible module."""
    client = {
        "name": {"type": "str", "required": True},
        "user": {"type": "str"},
        "groups": {"type": "list", "elements": "str", "default": []},
    }
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "kubeconfig_directory": {"type": "path"},
            "server": {"type": "str", "required": True},
            "cluster": {"type": "str", "default": "simulated"},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "names": {
                "type": "list",
                "elements": "str",
                "default": [*names, "kubernetes.default.svc.cluster.local"],
            },
            "clients": {"type": "list", "elements": "dict", "options": client, "default": []},
            "validity_hours": {"type": "int", "default": 72},
            "renew_hours": {"type": "int", "default": 12},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module.params, dt.datetime.now(dt.UTC), check=module.check_mode)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"certificates could not be made: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
