from __future__ import annotations

from typing import Any

from proving_ground.budaiscaler.conflicts import Conflict, conflicting


def scaler(
    name: str, target: str = "a", *, namespace: str = "n", kind: str = "Deployment", **metadata: Any
) -> dict[str, Any]:
    ref = {"kind": kind, "name": target}
    return {"metadata": {"name": name, "namespace": namespace, **metadata}, "spec": {"scaleTargetRef": ref}}


def test_scalers_of_one_target_conflict() -> None:
    assert conflicting([scaler("y"), scaler("x"), scaler("z", "b")]) == (Conflict("n", "Deployment", "a", ("x", "y")),)


def test_other_namespaces_and_kinds_do_not_conflict() -> None:
    assert conflicting([scaler("x"), scaler("y", namespace="m"), scaler("z", kind="StatefulSet")]) == ()


def test_a_scaler_that_is_being_deleted_does_not_conflict() -> None:
    assert conflicting([scaler("x"), scaler("y", deletionTimestamp="2026-01-01T00:00:00Z")]) == ()


def test_scalers_without_a_target_do_not_conflict() -> None:
    assert conflicting([{}, {"spec": None}, {"spec": {"scaleTargetRef": []}}, {"metadata": "x"}]) == ()
