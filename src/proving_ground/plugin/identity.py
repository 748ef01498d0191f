"""What selection and reports call an item."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from proving_ground.plugin.collecting import suite_of
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.selection import Candidate, check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

CANDIDATE: pytest.StashKey[Candidate] = pytest.StashKey()


def candidate_of(item: pytest.Item) -> Candidate:
    """Return the item as selection sees it, and give it its check id.

    Raises:
        ConfigurationError: The suite.yml that the item lies under is not usable.
    """
    if (known := item.stash.get(CANDIDATE, None)) is not None:
        return known
    declared = suite_of(item)
    suite = declared.name if declared is not None else item.path.parent.name or "checks"
    check = (item.check_id if isinstance(item, ConcurrentItem) else "") or f"{suite}/{_name(item)}"
    if isinstance(item, ConcurrentItem):
        item.check_id = check
    candidate = Candidate(
        check=check,
        suite=suite,
        nodeid=item.nodeid,
        marks=tuple(dict.fromkeys(mark.name for mark in item.iter_markers())),
        description=_description(item),
        parameters=_parameters(item),
        declared=declared,
    )
    item.stash[CANDIDATE] = candidate
    return candidate


def _name(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    mark = item.get_closest_marker("check")
    if mark is not None and mark.args:
        return f"{mark.args[0]}[{callspec.id}]" if callspec is not None and callspec.id else str(mark.args[0])
    if isinstance(item, ConcurrentItem) and item.check_name:
        return item.check_name
    return check_name(item.name) if isinstance(item, pytest.Function) else item.name


def _description(item: pytest.Item) -> str:
    if isinstance(item, ConcurrentItem) and item.description:
        return item.description
    text = inspect.getdoc(item.obj) if isinstance(item, pytest.Function) else None
    return text.split("\n\n")[0].replace("\n", " ") if text else ""


def _parameters(item: pytest.Item) -> Mapping[str, object]:
    return item.parameters if isinstance(item, ConcurrentItem) else {}
