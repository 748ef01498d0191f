"""The table of stages: stage, runner, local command, CI command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.pages.markdown import NOTE, table

if TYPE_CHECKING:
    from proving_ground.contracts.stages import Stages


def stages_table(stages: Stages) -> str:
    """Return the page of the stages, in the order of stages.yml."""
    rows = [
        (
            f"`{name}`",
            stage.description,
            "pre-commit" if stage.runner == "pre-commit" else "nox, ansible-runner, pytest",
            f"`{stage.inventory}`" if stage.inventory else "none",
            f"`{stage.marks}`" if stage.marks else "all",
            stage.budget,
            f"`./nox -s {name}`",
            stage.ci,
            f"`./nox -s {name} -- --run-id ci-$BUILD`" if stage.runner == "pipeline" else f"`./nox -s {name}`",
        )
        for name, stage in stages.stages.items()
    ]
    head = ("Stage", "Gates", "Runner", "Inventory", "Marks", "Budget", "Local command", "CI", "CI command")
    return f"{NOTE}\n# Stages\n\nEach is an entry of `stages.yml` ([format](stages.md)).\n\n{table(head, rows)}"
