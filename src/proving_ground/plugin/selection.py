"""Which checks run here: pure rules over what checks and platform say of themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from proving_ground.errors import ConfigurationError
from proving_ground.plugin.vocabulary import STAGE_MARKS, needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proving_ground.contracts.platform import Platform
    from proving_ground.contracts.suite import Suite

Reason = Literal["capability", "mark", "system", "option"]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A check as selection sees it."""

    check: str
    suite: str
    nodeid: str
    marks: tuple[str, ...] = ()
    description: str = ""
    parameters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    declared: Suite | None = None


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A check that is not selected, and why."""

    candidate: Candidate
    reason: Reason
    detail: str = ""


def check_name(function_name: str) -> str:
    """Return the name of a check from that of its function: ``test_a_b[x]`` gives ``a-b[x]``."""
    stem, bracket, parameters = function_name.partition("[")
    return stem.removeprefix("test_").replace("_", "-") + bracket + parameters


def validate(candidates: Sequence[Candidate]) -> None:
    """Refuse checks that share an id, and checks of a suite without exactly one stage mark.

    Raises:
        ConfigurationError: Naming the check.
    """
    seen: dict[str, Candidate] = {}
    for candidate in candidates:
        if (other := seen.get(candidate.check)) is not None:
            raise ConfigurationError(
                f"two checks have the id {candidate.check!r}: {other.nodeid} and {candidate.nodeid}",
                where=candidate.suite,
                hint='name one of them with @pytest.mark.check("name")',
            )
        seen[candidate.check] = candidate
        if candidate.declared is None:
            continue
        stages = sorted({mark for mark in candidate.marks if mark in STAGE_MARKS})
        if len(stages) != 1:
            raise ConfigurationError(
                f"check {candidate.check!r} carries {', '.join(stages) if stages else 'no stage mark'}",
                where=candidate.nodeid,
                hint=f"mark it with its earliest stage only, one of {', '.join(STAGE_MARKS)}",
            )


def needs(candidate: Candidate) -> list[str]:
    """Return the capabilities that a check needs: its suite's and its own."""
    suite = list(candidate.declared.capabilities) if candidate.declared is not None else []
    return list(dict.fromkeys([*suite, *needed(candidate.marks)]))


def _plain(names: Iterable[str]) -> set[str]:
    return {name.replace("-", "_") for name in names}


def reject(candidate: Candidate, platform: Platform) -> Rejection | None:
    """Return why the platform's promises leave a check out, or None if it is selected."""
    if candidate.declared is not None:
        missing = [name for name in candidate.declared.systems if name not in platform.systems]
        if missing:
            return Rejection(candidate, "system", f"not on this platform: {', '.join(missing)}")
    promised = _plain(platform.capabilities.promised)
    lacking = [name for name in needs(candidate) if name.replace("-", "_") not in promised]
    if lacking:
        return Rejection(candidate, "capability", ", ".join(lacking))
    return None


def absent(candidate: Candidate, platform: Platform) -> list[str]:
    """Return the capabilities that a check needs, that were promised, and that are not there."""
    present = _plain(platform.capabilities.present)
    promised = _plain(platform.capabilities.promised)
    plain = [(name, name.replace("-", "_")) for name in needs(candidate)]
    return [name for name, key in plain if key in promised and key not in present]
