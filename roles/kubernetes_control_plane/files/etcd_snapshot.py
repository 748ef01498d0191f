"""Copy what the etcd of this host holds into a file that ``etcdutl snapshot restore`` takes.

The gateway of etcd streams the database as lines of JSON, and after it the SHA-256 of all that came before
(https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/; service Maintenance, method Snapshot). So neither etcdctl nor a
container is needed.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import ssl
import sys
from pathlib import Path

PKI = Path("/etc/kubernetes/pki/etcd")
SUM = 32
"""Bytes of the SHA-256 at the end."""


def main(target: Path) -> None:
    """Write the file, whole or not at all."""
    context = ssl.create_default_context(cafile=PKI / "ca.crt")
    context.load_cert_chain(PKI / "healthcheck-client.crt", PKI / "healthcheck-client.key")
    connection = http.client.HTTPSConnection("127.0.0.1", 2379, context=context, timeout=60)
    connection.request("POST", "/v3/maintenance/snapshot", body="{}")
    response = connection.getresponse()
    if response.status != http.client.OK:
        sys.exit(f"etcd refuses a snapshot: {response.status} {response.read(500).decode(errors='replace')}")
    part = target.with_name(f"{target.name}.part")
    digest, tail, size = hashlib.sha256(), b"", 0
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        for line in response:
            message = json.loads(line)
            if "result" not in message:
                sys.exit(f"etcd broke off: {json.dumps(message.get('error', message))}")
            blob = base64.b64decode(message["result"].get("blob", ""))
            stream.write(blob)
            size += len(blob)
            held = tail + blob
            digest.update(held[:-SUM])
            tail = held[-SUM:]
        stream.flush()
        os.fsync(stream.fileno())
    if digest.digest() != tail:
        sys.exit(f"the snapshot is not whole: {size} bytes came, and their SHA-256 is another")
    part.rename(target)
    sys.stdout.write(f"{target}: {size} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
