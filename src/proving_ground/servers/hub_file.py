"""A script of the environment `llama`: fetches one file of a model hub, resumed where it was left, and verified.

Its one argument is a JSON object (repository, file, revision, directory, seconds), and what it prints is one, too
(path, sha256, revision, bytes). HF_ENDPOINT, HF_TOKEN and proxies work as huggingface_hub has them.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pathlib
import re
import sys


def sha256(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    """Fetch; a failure is one line on standard error and exit code 1."""
    wanted = json.loads(sys.argv[1])
    os.environ |= {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP is what can be resumed, and what proxies let through
    }
    hub = importlib.import_module("huggingface_hub")
    repository, file = wanted["repository"], wanted["file"]
    try:
        address = hub.hf_hub_url(repository, file, revision=wanted["revision"])
        said = hub.get_hf_file_metadata(address, timeout=wanted["seconds"])
        path = pathlib.Path(
            hub.hf_hub_download(
                repository,
                file,
                revision=said.commit_hash or wanted["revision"],
                local_dir=wanted["directory"],
                etag_timeout=wanted["seconds"],
            )
        )
        found = sha256(path)
        # The entity tag of a large file is its SHA-256.
        if re.fullmatch(r"[0-9a-f]{64}", said.etag or "") and found != said.etag:
            path.unlink()
            sys.exit(f"{address}: expected SHA-256 {said.etag}, found {found}; the file was removed")
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller goes on without the hub
        lines = str(error).strip().splitlines() or [type(error).__name__]
        sys.exit(lines[0])
    print(json.dumps({"path": str(path), "sha256": found, "revision": said.commit_hash, "bytes": said.size}))  # noqa: T201


if __name__ == "__main__":
    main()
