"""Tests without a Test document: a folder whose numbered files are its steps, as chainsaw (and KUTTL) take them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from proving_ground.chainsaw.documents import Where
from proving_ground.chainsaw.model import Apply, Assert, Error, ResourceRef, Step, Test

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.chainsaw.model import Operation

_STEP_FILE = re.compile(r"(\d+)-(.*)\.ya?ml")
_ERROR_NAMES = ("error", "errors")


def load_folder(folder: Path) -> Test | None:
    """Return the test that a folder's numbered files make; None where it has none.

    ``NN-assert.yaml`` is asserted, ``NN-error.yaml`` (or ``errors``) must not match, every other ``NN-name.yaml`` is
    applied; the files of a number are one step, in this order: applied, asserted, not matching.

    Args:
        folder: The folder; its name becomes that of the test.
    """
    steps: dict[str, dict[str, list[Operation]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.iterdir()):
        match = _STEP_FILE.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        where = Where(path, 1)
        ref = ResourceRef(file=path.name, resource=None, where=where)
        if match[2] == "assert":
            steps[match[1]]["assert"].append(Assert(where=where, ref=ref))
        elif match[2] in _ERROR_NAMES:
            steps[match[1]]["error"].append(Error(where=where, ref=ref))
        else:
            steps[match[1]]["apply"].append(Apply(where=where, ref=ref))
    if not steps:
        return None
    return Test(
        where=Where(folder, 1),
        name=folder.absolute().name.lower().replace("_", "-"),
        path=folder,
        directory=folder,
        index=0,
        steps=tuple(_step(number, steps[number], folder) for number in sorted(steps)),
    )


def _step(number: str, found: dict[str, list[Operation]], folder: Path) -> Step:
    operations = (*found["apply"], *found["assert"], *found["error"])
    return Step(where=Where(folder, 1), name=f"step-{number}", try_=operations)
