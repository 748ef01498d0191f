# Apache-2.0 (see LICENSE)
"""Merge what a playbook produced into platform.json, on the control node."""

from __future__ import annotations

import pathlib
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.proving.ground.plugins.module_utils.platform_document import converge


class ActionModule(ActionBase):  # type: ignore[misc] # ansible has no types
    """The task, see the module's documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Merge and return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "file": {"type": "path", "required": True},
                "fragment": {"type": "dict", "default": {}},
                "defaults": {"type": "dict", "default": {}},
            }
        )
        path = pathlib.Path(arguments["file"])
        try:
            merged = converge(path, arguments["fragment"], arguments["defaults"], check=self._task.check_mode)
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"{path} cannot be updated: {error}") from error
        return result | merged
