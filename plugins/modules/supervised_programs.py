#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Run programs under one supervisord for each directory, and wait until they are ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: supervised_programs
short_description: Run programs under a private supervisord and wait until they are ready
description:
  - Starts one supervisord for a directory (on a unix socket, no root), gives it programs, starts them as
    soon as what they need is ready, and returns when all are ready. Nothing is restarted by itself.
  - A program whose definition and watched files are unchanged and that runs is left alone; others are
    started, or stopped and started again.
  - Every program gets the variables C(PROVING_GROUND_RUN_ID), C(PROVING_GROUND_SUPERVISOR) (the directory)
    and C(PROVING_GROUND_PROGRAM) in its environment, by which it is found when its supervisord is dead.
options:
  directory:
    description: Where supervisord and its programs have their files (C(conf.d), C(logs), the socket).
    type: path
    required: true
  run_id:
    description: The run that the programs belong to.
    type: str
    default: ""
  programs:
    description:
      - The programs. With I(state=absent) and I(state=restarted) only their names count.
      - None means all, and supervisord, with I(state=absent); I(state=restarted) refuses that.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the program, of its files and its log.
        type: str
        required: true
      command:
        description: The program and its arguments. No shell reads them.
        type: list
        elements: str
      environment:
        description: Environment variables.
        type: dict
        default: {}
      working_directory:
        description: Where it runs; the I(directory) if absent.
        type: path
      after:
        description: Programs that must be ready before this one starts, and that stop after it.
        type: list
        elements: str
        default: []
      watch:
        description: Files whose content is part of the definition, so that a change starts it again.
        type: list
        elements: path
        default: []
      ready:
        description:
          - When the program counts as ready. With none, as soon as it runs.
        type: dict
        default: {}
        suboptions:
          url:
            description: It answers this URL with a status under 400.
            type: str
          ca:
            description: File with the certificates that an https I(url) is verified with.
            type: path
          tcp:
            description: It accepts connections on this address, as C(127.64.0.1:2379).
            type: str
          file:
            description: This file exists.
            type: path
          seconds:
            description: How long that may take.
            type: float
            default: 60.0
      stop_seconds:
        description: How long it may take to end by itself before it is killed.
        type: int
        default: 5
  progress_file:
    description: A line is appended to this file when a program is ready.
    type: path
  state:
    description:
      - Whether the programs are to run, to be gone, or to be stopped and started again.
      - C(restarted) restarts programs that were started before, as they were told then, and waits until they are
        ready. What needs them is left alone. A file that says when one is ready is removed before its start.
    choices: [present, absent, restarted]
    type: str
    default: present
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Run etcd and what needs it
  proving.ground.supervised_programs:
    directory: "{{ proving_ground_state_dir }}/sim"
    run_id: "{{ proving_ground_run_id }}"
    programs:
      - name: etcd
        command: [etcd, --data-dir, /somewhere]
        ready: {tcp: "127.64.0.1:2379"}
      - name: kube-apiserver
        command: [kube-apiserver, --etcd-servers, "https://127.64.0.1:2379"]
        after: [etcd]
        ready: {url: "https://127.64.0.1:6443/readyz", ca: /somewhere/ca.crt}

- name: Restart the API server
  proving.ground.supervised_programs:
    directory: "{{ proving_ground_state_dir }}/sim"
    programs: [{name: kube-apiserver}]
    state: restarted

- name: Stop everything
  proving.ground.supervised_programs:
    directory: "{{ proving_ground_state_dir }}/sim"
    state: absent
"""

RETURN = r"""
started:
  description: Programs that were started, in the order in which they became ready.
  type: list
  elements: str
  returned: always
stopped:
  description: Programs that were stopped.
  type: list
  elements: str
  returned: always
seconds:
  description: Seconds from the start of the call until each program was ready.
  type: dict
  returned: unless I(state=absent)
"""

import contextlib
import pathlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils.program_definitions import (
    ProgramsError,
    parse,
    stop_order,
)
from ansible_collections.proving.ground.plugins.module_utils.program_supervisor import (
    CALL_ERRORS,
    RUNNING,
    Ascent,
    Supervisor,
)


def bring_up(parameters: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Run the programs; the result is the module's."""
    programs = parse(parameters["programs"])
    stop_order({program.name: list(program.after) for program in programs})
    with Supervisor(pathlib.Path(parameters["directory"]), parameters["run_id"]) as supervisor:
        changed = supervisor.differing(programs)
        if check:
            states = supervisor.states() if supervisor.pid() else {}
            start = {each.name for each in changed}
            start |= {each.name for each in programs if states.get(each.name) != RUNNING}
            return {"changed": bool(start), "started": sorted(start), "stopped": [], "seconds": {}}
        fresh = supervisor.ensure()
        known = supervisor.states()
        changed += [each for each in programs if each.name not in known and each not in changed]
        stopped = supervisor.load(changed) if changed else []
        for each in programs:
            supervisor.remember(each)
        progress = parameters["progress_file"]
        ascent = Ascent(supervisor, programs, pathlib.Path(progress) if progress else None)
        ascent.run()
    return {
        "changed": bool(fresh or changed or ascent.started),
        "started": [name for name in ascent.ready if name in ascent.started],
        "stopped": stopped,
        "seconds": ascent.ready,
    }


def bring_down(parameters: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Stop the programs, or everything; the result is the module's."""
    names = {each["name"] for each in parameters["programs"]}
    with Supervisor(pathlib.Path(parameters["directory"]), parameters["run_id"]) as supervisor:
        pid = supervisor.pid()
        left = sorted(supervisor.leftovers(names or None))
        if check or not (left or pid or supervisor.socket.exists()):
            return {"changed": bool(pid and not names) or bool(left), "started": [], "stopped": left}
        stopped = []
        if pid:
            with contextlib.suppress(*CALL_ERRORS):  # where supervisord dies meanwhile, its programs are leftovers
                stopped = supervisor.stop(names or set(supervisor.states()))
            supervisor.forget(names)
        if not names:
            supervisor.shut_down()
        stopped += supervisor.end_leftovers(names or None)
    return {"changed": bool(stopped or (pid and not names)), "started": [], "stopped": sorted(set(stopped))}


def bring_back(parameters: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Stop programs and start them again; the result is the module's."""
    names = {each["name"] for each in parameters["programs"]}
    if not names:
        raise ProgramsError("no program is named to be restarted")
    with Supervisor(pathlib.Path(parameters["directory"]), parameters["run_id"]) as supervisor:
        if not supervisor.pid():
            raise ProgramsError(f"no programs run in {supervisor.directory}")
        known = supervisor.states()
        unknown = sorted(names - set(known))
        if unknown:
            raise ProgramsError(f"no program is named {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        programs = [supervisor.remembered(name) for name in sorted(names)]
        if check:
            return {"changed": True, "started": sorted(names), "stopped": sorted(names), "seconds": {}}
        stopped = supervisor.stop(names)
        for program in programs:
            if program.ready.get("file"):
                pathlib.Path(program.ready["file"]).unlink(missing_ok=True)
        progress = parameters["progress_file"]
        ascent = Ascent(supervisor, programs, pathlib.Path(progress) if progress else None)
        ascent.run()
    return {"changed": True, "started": list(ascent.ready), "stopped": stopped, "seconds": ascent.ready}


ACTS = {"present": bring_up, "absent": bring_down, "restarted": bring_back}


def main() -> None:
    """Run as an Ansible module."""
    ready = {
        "url": {"type": "str"},
        "ca": {"type": "path"},
        "tcp": {"type": "str"},
        "file": {"type": "path"},
        "seconds": {"type": "float", "default": 60.0},
    }
    program = {
        "name": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str"},
        "environment": {"type": "dict", "default": {}},
        "working_directory": {"type": "path"},
        "after": {"type": "list", "elements": "str", "default": []},
        "watch": {"type": "list", "elements": "path", "default": []},
        "ready": {"type": "dict", "options": ready, "default": {}},
        "stop_seconds": {"type": "int", "default": 5},
    }
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "run_id": {"type": "str", "default": ""},
            "programs": {"type": "list", "elements": "dict", "options": program, "default": []},
            "progress_file": {"type": "path"},
            "state": {"type": "str", "choices": list(ACTS), "default": "present"},
        },
        supports_check_mode=True,
    )
    act = ACTS[module.params["state"]]
    began = time.monotonic()
    try:
        result = act(module.params, check=module.check_mode)
    except ProgramsError as error:
        module.fail_json(msg=str(error))
    except CALL_ERRORS as error:
        elapsed = time.monotonic() - began
        module.fail_json(msg=f"supervisord of {module.params['directory']} failed after {elapsed:.1f} s: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
