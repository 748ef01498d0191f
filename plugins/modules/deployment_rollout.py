#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Wait until a Deployment's rollout is over, and say what keeps its pods from being ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_rollout
short_description: Wait until a Deployment is rolled out
description:
  - Waits as C(kubectl rollout status) does. Where the time is over, it says what each pod waits for, and the last
    lines of those that ran. Changes nothing; in check mode it does not wait.
options:
  kubectl:
    description: The program and its options for the cluster.
    type: list
    elements: str
    required: true
  namespace:
    description: Namespace of the Deployment.
    type: str
    required: true
  name:
    description: Name of the Deployment.
    type: str
    required: true
  seconds:
    description: Within which time its pods must be ready.
    type: int
    default: 60
author:
  - Proving Ground contributors
attributes:
  check_mode:
    description: Does not wait, since nothing was deployed.
    support: full
"""

EXAMPLES = r"""
- name: Wait until the autoscaler is ready
  proving.ground.deployment_rollout:
    kubectl: [kubectl, --kubeconfig=/somewhere/admin.kubeconfig]
    namespace: budaiscaler-system
    name: budaiscaler
    seconds: 90
"""

RETURN = r"""
pods:
  description: What keeps each pod from being ready, one line a pod; only where the rollout failed.
  type: list
  elements: str
  returned: failure
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

LINES = 20
MOST_PODS = 5


def selector(deployment: dict[str, Any]) -> str:
    """Return the label selector of a Deployment's pods, as kubectl takes it."""
    wanted = deployment["spec"]["selector"]
    terms = [f"{key}={value}" for key, value in wanted.get("matchLabels", {}).items()]
    for term in wanted.get("matchExpressions", []):
        values = f" ({','.join(term.get('values', []))})"
        terms.append(
            {
                "In": f"{term['key']} in{values}",
                "NotIn": f"{term['key']} notin{values}",
                "Exists": term["key"],
                "DoesNotExist": f"!{term['key']}",
            }[term["operator"]]
        )
    return ",".join(terms)


def obstacle(pod: dict[str, Any]) -> str:
    """Return in one line what keeps a pod from being ready; empty where nothing does."""
    status = pod.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    found = []
    placed = conditions.get("PodScheduled", {})
    if placed.get("status") == "False":
        found.append(f"not scheduled: {placed.get('message') or placed.get('reason', '')}")
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        found += [f"{container['name']}: {told}" for told in state_of(container)]
    return f"pod {pod['metadata']['name']} is {status.get('phase', 'Unknown')}: {'; '.join(found) or 'not ready'}"


def state_of(container: dict[str, Any]) -> list[str]:
    """Return what a container waits for, why it ended last, and whether it runs without being ready."""
    told = []
    waiting = container.get("state", {}).get("waiting")
    if waiting:
        told.append(" ".join(filter(None, [waiting.get("reason", "waits"), waiting.get("message", "")])))
    for where in ("state", "lastState"):
        ended = container.get(where, {}).get("terminated")
        if ended:
            told.append(f"ended with {ended.get('exitCode')} ({ended.get('reason', 'no reason')})")
    if "running" in container.get("state", {}) and not container.get("ready"):
        told.append("runs, but its readiness probe fails")
    return told


class Rollout:
    """The wait for one Deployment."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name = module.params["name"]
        self.seconds = module.params["seconds"]
        self.namespace = f"--namespace={module.params['namespace']}"

    def ask(self, *arguments: str) -> tuple[int, str, str]:
        """Run kubectl in the namespace; returns exit code, output, and what it said beside."""
        code, output, said = self.module.run_command([*self.module.params["kubectl"], *arguments, self.namespace])
        return int(code), str(output), str(said)

    def wait(self) -> str:
        """Wait, and return why it did not succeed; empty where it did."""
        code, _, said = self.ask("rollout", "status", f"deployment/{self.name}", f"--timeout={self.seconds}s")
        return (said.strip() or f"kubectl ended with {code}") if code else ""

    def pods(self) -> list[dict[str, Any]]:
        """Return the Deployment's pods that are not ready."""
        code, output, _ = self.ask("get", f"deployment/{self.name}", "--output=json")
        if code:
            return []
        code, output, _ = self.ask("get", "pods", f"--selector={selector(json.loads(output))}", "--output=json")
        return [pod for pod in json.loads(output)["items"] if obstacle(pod)][:MOST_PODS] if not code else []

    def warnings(self) -> str:
        """Return the last warnings of the namespace: why a Deployment has no pods, above all."""
        code, output, _ = self.ask("events", "--types=Warning")
        return "\n".join(output.rstrip().splitlines()[-LINES:]) if not code else ""

    def said(self, pod: dict[str, Any]) -> str:
        """Return a pod's last lines, those of its container before where that ended; empty where it has none."""
        name = pod["metadata"]["name"]
        for more in (["--previous"], []):
            code, output, _ = self.ask("logs", name, f"--tail={LINES}", "--all-containers", *more)
            if not code and output.strip():
                return output.rstrip()
        return ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubectl": {"type": "list", "elements": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False)
    rollout = Rollout(module)
    failed = rollout.wait()
    if not failed:
        module.exit_json(changed=False)
    pods = rollout.pods()
    obstacles = [obstacle(pod) for pod in pods]
    logs = [text for text in map(rollout.said, pods) if text]
    where = f"Deployment {module.params['namespace']}/{rollout.name} is not ready within {rollout.seconds} s: {failed}"
    told = [*obstacles, *logs] if pods else [rollout.warnings()]
    module.fail_json(msg="\n".join([where, *told]).rstrip(), pods=obstacles)


if __name__ == "__main__":
    main()
