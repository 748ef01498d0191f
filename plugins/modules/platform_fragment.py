#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Merge what a playbook produced into platform.json."""

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_fragment
short_description: Merge what a playbook produced into platform.json
description:
  - C(platform.json) is the only hand-over from playbooks to suites. Each playbook merges its part, under a
    lock and atomically, so that parts may come from several plays at once.
  - Mappings are merged. Lists keep what they have and get what is new; an item that has a C(name) replaces
    the item of the same name. Anything else is replaced.
options:
  file:
    description: The file, made where it is absent.
    type: path
    required: true
  fragment:
    description: What is merged in.
    type: dict
    default: {}
  defaults:
    description: What is merged in only where nothing is there yet.
    type: dict
    default: {}
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Tell suites about the cluster
  proving.ground.platform_fragment:
    file: "{{ proving_ground_platform_file }}"
    fragment:
      clusters:
        default: {kubeconfig: /somewhere/kubeconfig, version: v1.36.3}
"""

RETURN = r"""
platform:
  description: The whole content after the merge.
  type: dict
  returned: always
"""

import copy
import fcntl
import json
import os
import pathlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SCHEMA_VERSION = 1


def merged(base: Any, over: Any) -> Any:
    """Return a JSON value with another one merged over it."""
    if isinstance(base, dict) and isinstance(over, dict):
        result = dict(base)
        for key, value in over.items():
            result[key] = merged(base[key], value) if key in base else copy.deepcopy(value)
        return result
    if isinstance(base, list) and isinstance(over, list):
        names = {item["name"] for item in over if isinstance(item, dict) and "name" in item}
        kept = [item for item in base if not (isinstance(item, dict) and item.get("name") in names)]
        return kept + [item for item in over if item not in kept]
    return copy.deepcopy(over)


def read(path: pathlib.Path) -> dict[str, Any]:
    """Return the present content.

    Raises:
        ValueError: It is there and is not a JSON object.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of error for a broken file
    return content


def converge(path: pathlib.Path, fragment: dict[str, Any], defaults: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Merge; the result is the module's."""
    if check:
        before = read(path)
        after = merged(merged({"schema_version": SCHEMA_VERSION, **defaults}, before), fragment)
        return {"changed": before != after, "platform": after}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read(path)
        after = merged(merged({"schema_version": SCHEMA_VERSION, **defaults}, before), fragment)
        if before != after:
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(after, indent=2, sort_keys=True) + "\n")
            temporary.replace(path)
    return {"changed": before != after, "platform": after}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "file": {"type": "path", "required": True},
            "fragment": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    path = pathlib.Path(module.params["file"])
    try:
        result = converge(path, module.params["fragment"], module.params["defaults"], check=module.check_mode)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{path} cannot be updated: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
