"""The operation ``wait``: what ``kubectl wait`` does, by watching, and telling what was last seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from proving_ground.chainsaw.failfast import given_up
from proving_ground.chainsaw.failures import FailedFastError, OperationError
from proving_ground.chainsaw.inspecting import show
from proving_ground.chainsaw.jsonpaths import Path, PathError, PathSyntaxError, parse_path, parse_value, text_of
from proving_ground.chainsaw.queries import query, text
from proving_ground.chainsaw.scope import Bindings, Deadline, Scope
from proving_ground.kube import ApiError, Reference, Target, summarise

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import Wait
    from proving_ground.chainsaw.queries import Query
    from proving_ground.kube import Object
    from proving_ground.kube.following import Following

_MOST_SHOWN = 20


class Goal(Protocol):
    """What each object has to come to."""

    def reached(self, obj: Object | None) -> bool:
        """Tell whether an object (None: it is gone) is there.

        Raises:
            PathError: It never will be.
        """

    def missing(self, obj: Object | None) -> str:
        """Say what an object that is not there lacks."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The object is deleted; one of the same name that was made since does not count."""

    def reached(self, obj: Object | None) -> bool:
        """Tell whether the object is gone."""
        return obj is None

    def missing(self, obj: Object | None) -> str:
        """Say that it is there."""
        deleted = bool(((obj or {}).get("metadata") or {}).get("deletionTimestamp"))
        return "is being deleted, and still there" if deleted else "still exists, and nobody deletes it"

    def __str__(self) -> str:
        """Return what is waited for."""
        return "deletion"


@dataclass(frozen=True, slots=True)
class Made:
    """There is an object."""

    def reached(self, obj: Object | None) -> bool:  # noqa: ARG002  # part of the interface
        """Tell that it was there: what became of it does not count."""
        return True

    def missing(self, obj: Object | None) -> str:  # noqa: ARG002  # part of the interface
        """Say nothing: what is there lacks nothing."""
        return ""

    def __str__(self) -> str:
        """Return what is waited for."""
        return "creation"


@dataclass(frozen=True, slots=True)
class Condition:
    """The first condition of a type has a status, and is about the newest generation; letters of any case."""

    type: str
    status: str

    def reached(self, obj: Object | None) -> bool:
        """Tell whether the condition is met."""
        found = self._find(obj)
        if obj is None or found is None or _is_older(obj, found):
            return False
        return str(found["status"]).casefold() == self.status.casefold()

    def missing(self, obj: Object | None) -> str:
        """Say what the condition is instead."""
        found = self._find(obj)
        if obj is None:
            return "is gone"
        if found is None:
            return f"has no condition {self.type}"
        told = ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))
        state = f"has {found['type']}={found['status']}" + (f" ({told})" if told else "")
        if _is_older(obj, found):
            state += f", which is about an older generation than {obj['metadata']['generation']}"
        return state

    def _find(self, obj: Object | None) -> dict[str, Any] | None:
        status = (obj or {}).get("status")
        found = status.get("conditions") if isinstance(status, dict) else None
        for condition in found if isinstance(found, list) else ():
            if not isinstance(condition, dict) or not isinstance(condition.get("status"), str):
                continue
            if str(condition.get("type")).casefold() == self.type.casefold():
                return condition
        return None

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"condition {self.type}={self.status}"


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON path leads to a value; ``wanted`` None: to any."""

    path: Path
    wanted: str | None

    def reached(self, obj: Object | None) -> bool:
        """Tell whether the path leads there."""
        return obj is not None and self.path.leads_to(obj, self.wanted)

    def missing(self, obj: Object | None) -> str:
        """Say where the path leads instead."""
        if obj is None:
            return "is gone"
        try:
            found = self.path.find(obj)
        except PathError as error:
            return str(error)
        return f"has {', '.join(text_of(value) for value in found)!r}" if found else f"has no {self.path.text}"

    def __str__(self) -> str:
        """Return what is waited for."""
        return self.path.text if self.wanted is None else f"{self.path.text}={self.wanted}"


def _is_older(obj: Object, condition: dict[str, Any]) -> bool:
    """Tell whether a condition was written about an older generation of its object."""
    generation = obj["metadata"].get("generation")
    observed = condition.get("observedGeneration", obj["status"].get("observedGeneration"))
    return isinstance(generation, int) and isinstance(observed, int) and observed < generation


async def wait(scope: Scope, operation: Wait, seconds: float) -> Bindings:
    """Run a ``wait``: for the objects that are there at its begin, one after the other, within one time.

    A wait for a creation has none at its begin; it ends with the first.

    Raises:
        OperationError: There is none (and none has to go), or one did not come to where it should in time.
    """
    goal, wanted = await _goal(scope, operation), await query(scope, operation.ref)
    waiting = _Waiting(scope, goal, wanted, Deadline.after(seconds))
    try:
        objects = await waiting.run()
    except ApiError as error:
        raise OperationError(f"{wanted} cannot be watched: {error}") from error
    form = await scope.string(operation.format)
    if form:
        show(scope, f"wait for {wanted}", objects, form)
    return {}


async def _goal(scope: Scope, operation: Wait) -> Goal:
    if operation.condition is not None:
        name, status = operation.condition
        return Condition(await text(scope, name), await text(scope, status) or "True")
    if operation.json_path is not None:
        path, value = operation.json_path
        try:
            return Value(
                parse_path(await text(scope, path)), None if value is None else parse_value(await text(scope, value))
            )
        except PathSyntaxError as error:
            raise OperationError(str(error)) from error
    return Made() if operation.creation else Gone()


class _Waiting:
    """One wait for the objects of a query."""

    def __init__(self, scope: Scope, goal: Goal, wanted: Query, deadline: Deadline) -> None:
        self._scope = scope
        self._goal = goal
        self._wanted = wanted
        self._deadline = deadline

    async def run(self) -> list[Object]:
        """Wait, and return the objects as they were when they were there."""
        wanted, done = self._wanted, list[Any]()
        target = Target(wanted.api_version, wanted.kind, wanted.namespace, wanted.name)
        read_again = False
        async with self._scope.cluster.follow(target) as following:
            left = await self._first(following)
            while True:
                present = {_key(obj): obj for obj in following.objects}
                while left and self._reached(left[0], present.get(_key(left[0]))):
                    done.append(present.get(_key(left[0]), left[0]))
                    left = left[1:]
                if not left:
                    return done
                if self._deadline.remaining <= 0 and read_again:
                    raise self._failure(left, present)
                self._give_up(left, present)
                if self._deadline.remaining <= 0:
                    read_again = True  # a watch that lags must not decide
                    await self._scope.cluster.refresh(following)
                else:
                    await following.change(self._deadline.remaining)

    async def _first(self, following: Following) -> list[Object]:
        """Return the objects to wait for: those that are there, or come first where any has to come."""
        read_again = False
        while True:
            found = await self._wanted.find(self._scope) if self._wanted.selector else following.objects
            if found or isinstance(self._goal, Gone):
                return found
            if not isinstance(self._goal, Made):
                raise OperationError(f"no matching resources found: there is no {self._wanted}")
            if self._deadline.remaining > 0:
                await following.change(self._deadline.remaining)
            elif read_again:
                raise OperationError(f"timed out waiting for {self._goal}: there is no {self._wanted}")
            else:
                read_again = True  # a watch that lags must not decide
                await self._scope.cluster.refresh(following)

    def _reached(self, first: Object, now: Object | None) -> bool:
        if isinstance(self._goal, Gone) and now is not None and now["metadata"]["uid"] != first["metadata"]["uid"]:
            now = None
        try:
            return self._goal.reached(now)
        except PathError as error:
            raise OperationError(f"{Reference.of(first)}: {error}", f"last seen: {summarise(now)}") from error

    def _give_up(self, left: list[Object], present: dict[tuple[str, str], Object]) -> None:
        if isinstance(self._goal, Gone):
            return
        found = given_up([present[_key(obj)] for obj in left if _key(obj) in present], self._scope.fail_fast)
        if found is not None:
            waited = f"after {self._deadline.elapsed:.1f} s of at most {self._deadline.seconds:g} s"
            raise FailedFastError(f"{found}", f"ended {waited}: the test names {found.state} as final")

    def _failure(self, left: list[Object], present: dict[tuple[str, str], Object]) -> OperationError:
        """Return what the objects that are not there lack, and in what state each was last seen."""
        late = [obj for obj in left[1:] if not self._reached(obj, present.get(_key(obj)))]
        first, *others = [(Reference.of(obj), present.get(_key(obj))) for obj in (left[0], *late)]
        what = f"timed out waiting for {self._goal}: {first[0]} {self._goal.missing(first[1])}"
        if others:
            what += f", and {len(others)} more"
        lines = [
            f"{reference} {self._goal.missing(obj)}; last seen: {summarise(obj)}"
            for reference, obj in (first, *others)[:_MOST_SHOWN]
        ]
        if len(others) >= _MOST_SHOWN:
            lines.append(f"and {len(others) + 1 - _MOST_SHOWN} more")
        return OperationError(what, "\n".join(lines))


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
