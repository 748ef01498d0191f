"""The fleet's process serves its own addresses, also while there is no API server to watch."""

from __future__ import annotations

import datetime as dt
import os
import signal
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = f"127.251.{os.getpid() % 256}.1"
DEADLINE = 20.0
KUBECONFIG = f"""
current-context: x
contexts: [{{name: x, context: {{cluster: y, user: z}}}}]
clusters: [{{name: y, cluster: {{server: "http://{ADDRESS}:1"}}}}]
users: [{{name: z, user: {{}}}}]
"""


def certificate(folder: Path) -> None:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fleet")]), dt.datetime.now(tz=dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    (folder / "crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key").write_bytes(key.private_bytes(*form))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A fleet with all its addresses."""
    certificate(tmp_path)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    command = [sys.executable, "-m", "proving_ground.fleet", f"--kubeconfig={tmp_path / 'kubeconfig'}"]
    command += [f"--control-address={ADDRESS}:8081", f"--names-address={ADDRESS}:8083"]
    command += [f"--metrics-api-address={ADDRESS}:8445", f"--kubelet-cert={tmp_path / 'crt'}"]
    command += [f"--kubelet-key={tmp_path / 'key'}", f"--state={tmp_path / 'state.json'}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + DEADLINE
        while not (tmp_path / "state.json").exists() and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        yield running
        running.kill()


def test_every_address_answers_and_a_signal_ends_it(process: subprocess.Popen[bytes]) -> None:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with httpx.Client(trust_env=False, timeout=DEADLINE, verify=trust) as client:
        assert client.get(f"http://{ADDRESS}:8081/healthz").text == "ok"
        groups = client.get(f"https://{ADDRESS}:8445/apis").json()
        assert groups["kind"] == "APIGroupList"
    with httpx.Client(trust_env=False, timeout=DEADLINE, proxy=f"http://{ADDRESS}:8083") as client:
        assert client.get("http://svc.ns.svc.cluster.local/").status_code == 502
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0
