"""A catalogue of small tools, a Go that only pretends, and a server that publishes release files."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLLECTION = Path(__file__).parents[1] / "conftest.py"
"""It makes the collection's Python importable."""


FAKE_GO = r"""#!/bin/sh
# Pretends to be Go: "env GOVERSION" and "build ... -o DIR/ PACKAGE...", of the version in the manifest's file "pinned".
here=$(dirname "$0")
if [ "$1" = env ]; then echo go1.30.0; exit; fi
echo "$$ CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS $*" >>"$here/calls"
version=$(cat pinned 2>/dev/null || echo v1.0.0)
while [ "$1" != -o ]; do shift; done
out=$2
shift 2
for package in "$@"; do
    printf 'half' >"$out${package##*/}"
    echo "$package"
done
if [ -e "$here/fail" ]; then echo "x.go:1:1: undefined: y"; exit 1; fi
while [ -e "$here/hold" ]; do sleep 0.02; done
for package in "$@"; do
    printf '#!/bin/sh\necho "%s %s"\n' "${package##*/}" "$version" >"$out${package##*/}"
done
"""

DRIVER = """
import importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("conftest", sys.argv[1]); m = importlib.util.module_from_spec(spec)
spec.loader.exec_module(m)
from ansible_collections.proving.ground.plugins.module_utils.tool_acquisition import Request, acquire
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError
given = json.loads(sys.argv[2])
for name in ("definitions", "cache_dir", "progress_file"):
    given[name] = pathlib.Path(given[name])
try:
    print(json.dumps(vars(acquire(Request(**given)))))
except ToolError as error:
    sys.exit(str(error))
"""


class Workshop:
    """Everything that an acquisition needs, in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.definitions = directory / "definitions"
        self.cache = directory / "cache"
        self.progress = directory / "progress"
        self.go = directory / "fake" / "go"
        self.go.parent.mkdir()
        self.go.write_text(FAKE_GO)
        self.go.chmod(0o755)
        (self.definitions / "go" / "m").mkdir(parents=True)
        (self.definitions / "go" / "m" / "go.mod").write_text("module example.test/m\n\ngo 1.20\n")
        self.describe()

    def describe(self, **changes: dict[str, Any]) -> None:
        """Write the catalogue: the tools one and two, with changes by tool."""
        tools = {
            name: {"version": "v1.0.0", "manifest": "m", "package": f"example.test/m/{name}", "binary": name}
            | changes.get(name, {})
            for name in ("one", "two")
        }
        (self.definitions / "tools.json").write_text(json.dumps({"tools": tools}))

    def describe_other_version(self, version: str, manifest: str) -> None:
        """Add to the catalogue a manifest that builds both tools at another version."""
        directory = self.definitions / "go" / manifest
        directory.mkdir()
        (directory / "go.mod").write_text("module example.test/m\n\ngo 1.20\n")
        (directory / "pinned").write_text(version)
        catalogue = json.loads((self.definitions / "tools.json").read_text())
        for tool in catalogue["tools"].values():
            tool["other_versions"] = {version: manifest}
        (self.definitions / "tools.json").write_text(json.dumps(catalogue))

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the request's fields."""
        return {
            "tools": ["one", "two"],
            "definitions": self.definitions,
            "cache_dir": self.cache,
            "source": "build",
            "path_dirs": [str(self.directory / "installed")],
            "go": str(self.go),
            "progress_file": self.progress,
        } | changes

    def start(self, **changes: Any) -> subprocess.Popen[str]:
        """Start an acquisition in a process of its own."""
        given = json.dumps(self.arguments(**changes), default=str)
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, COLLECTION, given],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self) -> list[str]:
        """Return one line for each build that the pretended Go has begun."""
        file = self.go.parent / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def said(self) -> list[str]:
        """Return the lines of progress."""
        return self.progress.read_text().splitlines() if self.progress.exists() else []

    def install(self, name: str, version: str) -> Path:
        """Install a program that says a version."""
        file = self.directory / "installed" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\necho {name} {version}\n")
        file.chmod(0o755)
        return file


def eventually(what: Callable[[], object], seen: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true; a wait that ends in vain tells what was last seen."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"last seen: {seen()}"
        time.sleep(0.01)


def ended(pid: int) -> bool:
    """Tell whether a process is gone, or dead and only not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return Workshop(tmp_path)


class Publisher:
    """A server of release files on loopback."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, list[str]] = {}  # path -> what goes wrong at the next requests
        self.asked: list[str] = []
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                wrong = publisher.broken.get(self.path) or [""]
                fault = wrong.pop(0)
                body = publisher.files.get(self.path)
                if fault == "500":
                    self.send_error(500)
                elif body is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if fault == "truncated" else body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def publish(self, name: str, content: bytes | None = None) -> dict[str, Any]:
        """Publish a tool and its checksum, and return what the catalogue says of it."""
        body = f"#!/bin/sh\necho {name} v1.0.0\n".encode() if content is None else content
        self.files[f"/{name}"] = body
        self.files[f"/{name}.sha256"] = hashlib.sha256(body).hexdigest().encode()
        return {"download": {"url": f"{self.url}/{name}", "checksum_url": f"{self.url}/{name}.sha256"}}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.server.shutdown()
    publisher.server.server_close()
