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
  - Runs on the control node, whatever host the task is for, as the file is there. So it takes no time to speak of.
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

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Refuse to run: the action plugin of this name does the work on the control node."""
    module = AnsibleModule(argument_spec={}, bypass_checks=True)
    module.fail_json(msg="platform_fragment runs on the control node only, as the task of a playbook")


if __name__ == "__main__":
    main()
