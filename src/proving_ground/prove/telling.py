"""The table fault -> checks killed, as text, Markdown and data."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode
from proving_ground.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proving_ground.prove.proof import SuiteProof


def exit_code(proofs: Sequence[SuiteProof]) -> ExitCode:
    """Return the exit code of all: configuration, then infrastructure, then a failure."""
    codes = {proof.exit_code for proof in proofs}
    for code in (ExitCode.CONFIGURATION, ExitCode.INFRASTRUCTURE, ExitCode.FAILED):
        if code in codes:
            return code
    return ExitCode.PASSED


def problems(proofs: Sequence[SuiteProof]) -> list[str]:
    """Return every problem as one line, in the order in which they matter."""
    lines: list[str] = []
    for proof in proofs:
        lines += [f"{proof.suite}: could not be judged: {line}" for line in proof.broken]
        lines += [f"{proof.suite}: baseline broken: {line}" for line in proof.baseline]
        lines += [f"{proof.suite}: {v.fault}: {line}" for v in proof.verdicts for line in v.problems]
        lines += [f"{proof.suite}: no fault makes {check} fail" for check in proof.never_killed or ()]
    return lines


def _short(check: str, suite: str) -> str:
    return check.removeprefix(f"{suite}/")


def text(proofs: Sequence[SuiteProof], seconds: float) -> str:
    """Return the table and the problems for a terminal."""
    lines: list[str] = []
    for proof in proofs:
        lines.append(f"{proof.suite}: {proof.checks} checks, {len(proof.verdicts)} faults")
        width = max((len(verdict.fault) for verdict in proof.verdicts), default=0)
        for verdict in proof.verdicts:
            mark = "!!" if verdict.problems else "ok"
            killed = ", ".join(_short(check, proof.suite) for check in verdict.killed) or "nothing"
            blocked = (
                f"; blocked: {', '.join(_short(c, proof.suite) for c in verdict.blocked)}" if verdict.blocked else ""
            )
            lines.append(f"  {mark} {verdict.fault:<{width}} -> {killed}{blocked}")
    found = problems(proofs)
    lines += ["", *(f"problem: {line}" for line in found)] if found else [""]
    lines.append(f"prove: {exit_code(proofs).name.lower()} after {seconds:.1f} s")
    return "\n".join(lines)


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def markdown(proofs: Sequence[SuiteProof], seconds: float) -> str:
    """Return the report as Markdown."""
    lines = ["# Prove", "", f"Verdict: **{exit_code(proofs).name.lower()}** after {seconds:.1f} s.", ""]
    for proof in proofs:
        lines += [f"## {proof.suite}", "", "| fault | checks killed | blocked | as declared |", "|---|---|---|---|"]
        for verdict in proof.verdicts:
            killed = "<br>".join(_cell(_short(check, proof.suite)) for check in verdict.killed) or "none"
            blocked = "<br>".join(_cell(_short(check, proof.suite)) for check in verdict.blocked)
            lines.append(f"| {verdict.fault} | {killed} | {blocked} | {'no' if verdict.problems else 'yes'} |")
        lines.append("")
    if found := problems(proofs):
        lines += ["## Problems", "", *(f"- {line}" for line in found), ""]
    for proof in proofs:
        for name, printed in proof.printed:
            lines += [f"## What {name} printed last", "", *(f"    {line}" for line in printed.splitlines()), ""]
    return "\n".join(lines)


def write(proofs: Sequence[SuiteProof], seconds: float, folder: Path) -> None:
    """Write ``prove.json`` and ``prove.md``, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "schema_version": 1,
        "exit_code": int(exit_code(proofs)),
        "duration_seconds": round(seconds, 3),
        "problems": problems(proofs),
        "suites": [dataclasses.asdict(proof) for proof in proofs],
    }
    write_atomically(folder / "prove.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    write_atomically(folder / "prove.md", markdown(proofs, seconds))
