#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Bring the simulated nodes of a cluster to the wanted number of each profile, and wait until they are Ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: simulated_nodes
short_description: Have a number of simulated nodes of each profile
description:
  - Creates node objects in bulk, replaces those whose profile changed, removes those that are too many,
    and waits until the wanted ones are Ready. Nodes that it did not make are left alone.
options:
  kubeconfig:
    description: Kubeconfig with embedded certificates, for a user that may write nodes.
    type: path
    required: true
  profiles:
    description:
      - What a node of each profile has, by name. Each has C(capacity), and may have C(allocatable), C(labels),
        C(annotations), C(taints) and C(node_info).
    type: dict
    required: true
  counts:
    description: How many nodes of each profile there are to be.
    type: dict
    required: true
  seconds:
    description: Within which time they must be Ready.
    type: float
    default: 60.0
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Have two nodes
  proving.ground.simulated_nodes:
    kubeconfig: /somewhere/admin.kubeconfig
    profiles:
      small:
        capacity: {cpu: "8", memory: 64Gi, pods: "110", nvidia.com/gpu: "1"}
    counts: {small: 2}
"""

RETURN = r"""
created:
  description: Nodes that were made.
  type: list
  elements: str
  returned: always
removed:
  description: Nodes that were removed, those that are made anew among them.
  type: list
  elements: str
  returned: always
gpus:
  description: How many GPUs the wanted nodes have together.
  type: int
  returned: always
version:
  description: Version of the API server.
  type: str
  returned: always
"""

import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils.kubernetes_api import Api, ApiError

MARK = "proving.ground/node-profile"
DIGEST = "proving.ground/node-digest"
NODES = "/api/v1/nodes"
SAFE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
GPU = re.compile(r"[a-z.]+/gpu")
CONNECTIONS = 8
MOST = 5000


class NodesError(Exception):
    """The nodes cannot be as wanted; the message says why."""


def wanted_nodes(profiles: dict[str, Any], counts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the node objects that there are to be, by name.

    Raises:
        NodesError: A count has no profile, or is no number, or a profile has no capacity.
    """
    nodes = {}
    for profile, raw in counts.items():
        try:
            count = int(raw)
        except (TypeError, ValueError):
            count = -1
        if not 0 <= count <= MOST:
            raise NodesError(f"the count of profile {profile!r} is {raw!r}; it must be a number from 0 to {MOST}")
        if profile not in profiles:
            raise NodesError(f"there is no profile {profile!r}; known: {', '.join(sorted(profiles))}")
        if not SAFE_NAME.fullmatch(profile):
            raise NodesError(f"profile name {profile!r} is not of lower-case letters, digits and dashes")
        if not isinstance(profiles[profile].get("capacity"), dict):
            raise NodesError(f"profile {profile!r} has no capacity")
        for index in range(count):
            name = f"{profile}-{index:03d}"
            nodes[name] = node(name, profile, profiles[profile])
    return nodes


def node(name: str, profile: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Return one node object; an annotation keeps the digest of all that it was made from."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        **strings(definition.get("labels")),
        MARK: profile,
    }
    capacity = strings(definition["capacity"])
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": strings(definition.get("annotations"))},
        "spec": {"taints": definition.get("taints") or []},
        "status": {"capacity": capacity, "allocatable": {**capacity, **strings(definition.get("allocatable"))}},
    }
    if definition.get("node_info"):
        content["status"]["nodeInfo"] = strings(definition["node_info"])
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    content["metadata"]["annotations"][DIGEST] = digest[:16]
    return content


def strings(mapping: dict[str, Any] | None) -> dict[str, str]:
    """Return a mapping with values as Kubernetes wants them: text; YAML reads 8 and true as something else."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in (mapping or {}).items()
    }


def gpus(nodes: dict[str, dict[str, Any]]) -> int:
    """Return the number of GPUs of all nodes together."""
    return sum(
        int(count)
        for each in nodes.values()
        for resource, count in each["status"]["capacity"].items()
        if GPU.fullmatch(resource)
    )


def is_ready(found: dict[str, Any]) -> bool:
    """Tell whether a node is Ready and rid of the taint that it gets until then."""
    conditions = found.get("status", {}).get("conditions") or []
    taints = {taint["key"] for taint in found.get("spec", {}).get("taints") or []}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "node.kubernetes.io/not-ready" not in taints


def existing_nodes(api: Api) -> dict[str, dict[str, Any]]:
    """Return the nodes that this module made, by name."""
    items = api.request("GET", f"{NODES}?labelSelector={MARK}")["items"]
    return {item["metadata"]["name"]: item for item in items}


def await_ready(api: Api, names: set[str], seconds: float) -> None:
    """Return when all nodes are Ready.

    Raises:
        NodesError: They are not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = existing_nodes(api)
        missing = sorted(name for name in names if name not in found or not is_ready(found[name]))
        if not missing:
            return
        if time.monotonic() > deadline:
            seen = found.get(missing[0], {}).get("status", {}).get("conditions") or "no conditions"
            raise NodesError(
                f"{len(missing)} of {len(names)} nodes are not Ready after {seconds:.0f} s; {missing[0]}: {seen}"
            )
        time.sleep(0.1)


def converge(parameters: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring the nodes to what is wanted; the result is the module's."""
    wanted = wanted_nodes(parameters["profiles"], parameters["counts"])
    with Api(parameters["kubeconfig"]) as api:
        version = api.request("GET", "/version")["gitVersion"]
        found = existing_nodes(api)
        digests = {name: each["metadata"].get("annotations", {}).get(DIGEST) for name, each in found.items()}
        same = {name for name, each in wanted.items() if digests.get(name) == each["metadata"]["annotations"][DIGEST]}
        removed, created = sorted(set(found) - same), sorted(set(wanted) - same)
        if not check:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(lambda name: api.request("DELETE", f"{NODES}/{name}"), removed))
                list(pool.map(lambda name: api.request("POST", NODES, wanted[name]), created))
            if wanted:
                await_ready(api, set(wanted), parameters["seconds"])
    return {
        "changed": bool(removed or created),
        "created": created,
        "removed": removed,
        "gpus": gpus(wanted),
        "version": version,
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "profiles": {"type": "dict", "required": True},
            "counts": {"type": "dict", "required": True},
            "seconds": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module.params, check=module.check_mode)
    except (NodesError, ValueError) as error:
        module.fail_json(msg=str(error))
    except (ApiError, OSError) as error:
        module.fail_json(msg=f"the API server could not be asked: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
