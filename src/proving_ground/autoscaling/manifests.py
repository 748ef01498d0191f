"""The scalers, targets and mocks that suites apply: YAML files without a namespace, and the nine cases they form."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from proving_ground.errors import ConfigurationError
from proving_ground.pipeline.project import Project, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.kube import Object

Kind = Literal["configs", "mocks"]

SUITE = "autoscaling"
SUITE_LABEL = "proving.ground/suite"
SCALER = ("scaler.bud.studio/v1alpha1", "BudAIScaler")
FOLDER = Path("tests/suites/autoscaling")
WORKLOADS = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
_MOCKS = re.compile(r"(?:^|/)proving-ground[/-]mocks(?:[:@]|$)")
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Case:
    """One of the nine configurations: a scaler, and what it is tested with.

    Attributes:
        config: Its file below ``configs/``.
        scaler: Name of the BudAIScaler.
        target: Name of the Deployment that it scales.
        mocks: Files below ``mocks/`` that it needs, in the order in which they are applied.
        source: Workload whose mock tells the metric.
        container: Container of that workload that is the mock, empty where there is only one.
        at_target: The value of the metric, in percent, at which the scaler changes nothing.
    """

    config: str
    scaler: str
    target: str
    mocks: tuple[str, ...]
    source: str
    container: str
    at_target: float


_SIMULATOR = ("llm-inference-sim", "metrics-sidecar")
CASES: Mapping[str, Case] = {
    case.config: case
    for case in (
        Case("accuracy", "accuracy-test-scaler", _SIMULATOR[0], ("learning-target",), _SIMULATOR[0], "", 70),
        Case("basic", "llm-inference-scaler", _SIMULATOR[0], ("simulator",), *_SIMULATOR, 70),
        Case("cost", "cost-aware-scaler", _SIMULATOR[0], ("simulator",), *_SIMULATOR, 50),
        Case("gpu", "gpu-aware-scaler", _SIMULATOR[0], ("dcgm-server", "simulator"), *_SIMULATOR, 70),
        Case("learning", "learning-scaler", _SIMULATOR[0], ("learning-target",), _SIMULATOR[0], "", 70),
        Case("mock", "mock-metrics-scaler", "mock-vllm-metrics", ("metrics-server",), "mock-vllm-metrics", "", 70),
        Case(
            "policy",
            "policy-test-scaler",
            _SIMULATOR[0],
            ("metrics-server", "simulator"),
            "mock-vllm-metrics",
            "",
            70,
        ),
        Case("prediction", "prediction-scaler", _SIMULATOR[0], ("simulator",), *_SIMULATOR, 70),
        Case("schedulehints", "schedulehints-only-scaler", _SIMULATOR[0], ("simulator",), *_SIMULATOR, 70),
    )
}
"""By the name of the configuration."""


def folder() -> Path:
    """Return the folder of the project's autoscaling suites, which has ``configs/`` and ``mocks/``.

    Raises:
        ConfigurationError: There is no project around the working directory, and the package is in none.
    """
    return Project.find().root / FOLDER


def names(kind: Kind, *, root: Path | None = None) -> list[str]:
    """Return the names of the files of a kind."""
    return sorted(path.stem for path in ((root or folder()) / kind).glob("*.yaml"))


def load(
    kind: Kind,
    name: str,
    namespace: str,
    *,
    root: Path | None = None,
    suite: str = SUITE,
    replicas: int | None = None,
    env: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> list[Object]:
    """Return the objects of ``<kind>/<name>.yaml``, in a namespace and labelled as a suite's.

    Args:
        kind: ``configs`` or ``mocks``.
        name: The file's name without ``.yaml``.
        namespace: Where they go; also what ``{{ namespace }}`` in the file stands for.
        root: Folder that has the two folders; the project's autoscaling suites if absent.
        suite: Value of the label by which :mod:`~proving_ground.autoscaling.cleanup` finds them.
        replicas: Replicas of the workloads in it.
        env: Values of environment variables of its containers, replaced where they are, else added to the mocks.
        annotations: Annotations of the scalers in it, and of the pods of the workloads.
        spec: Fields that are merged into the spec of the scalers in it; None as a value removes a field.

    Raises:
        ConfigurationError: There is no such file, or it is not what is expected.
    """
    path = (root or folder()) / kind / f"{name}.yaml"
    if "/" in name or not path.is_file():
        raise ConfigurationError(
            f"no {kind[:-1]} {name!r}", where=str(path), hint=nearest(name, names(kind, root=root))
        )
    objects = read(path, {"namespace": namespace})
    return prepared(objects, namespace, suite=suite, replicas=replicas, env=env, annotations=annotations, spec=spec)


def read(path: Path, values: Mapping[str, str]) -> list[Object]:
    """Return the objects of a YAML file, with ``{{ name }}`` replaced.

    Raises:
        ConfigurationError: It cannot be read, is not YAML, names an unknown value, or holds what is no object.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ConfigurationError(f"unknown placeholder {match[0]}", where=str(path), hint=nearest(match[1], values))
        return values[match[1]]

    try:
        documents = list(yaml.safe_load_all(_PLACEHOLDER.sub(value, path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}", where=str(path)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    objects = [document for document in documents if document is not None]
    for obj in objects:
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if not isinstance(metadata, dict) or not all((obj.get("apiVersion"), obj.get("kind"), metadata.get("name"))):
            raise ConfigurationError("expected objects with apiVersion, kind and metadata.name", where=str(path))
    return objects


def prepared(
    objects: Iterable[Object],
    namespace: str,
    *,
    suite: str = SUITE,
    replicas: int | None = None,
    env: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> list[Object]:
    """Return copies of objects for a namespace; the arguments are those of :func:`load`."""
    made = [copy.deepcopy(obj) for obj in objects]
    for obj in made:
        metadata = obj["metadata"]
        metadata["namespace"] = namespace
        metadata["labels"] = {**(metadata.get("labels") or {}), SUITE_LABEL: suite}
        if (obj["apiVersion"], obj["kind"]) == SCALER:
            _annotate(metadata, annotations)
            obj["spec"] = _merged(obj.get("spec") or {}, spec or {})
        elif obj["kind"] in WORKLOADS:
            if replicas is not None:
                obj["spec"]["replicas"] = replicas
            template = obj["spec"]["template"]
            _annotate(template.setdefault("metadata", {}), annotations)
            _configure(template["spec"]["containers"], env or {})
    return made


def _annotate(metadata: dict[str, Any], annotations: Mapping[str, str] | None) -> None:
    if annotations:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}


def _configure(containers: list[dict[str, Any]], env: Mapping[str, str]) -> None:
    """Set environment variables: where a container has them already, else in every container that is a mock."""
    for name, value in env.items():
        having = [c for c in containers if any(entry["name"] == name for entry in c.get("env") or [])]
        for container in having or [c for c in containers if is_mock(str(c.get("image", "")))]:
            kept = [entry for entry in container.get("env") or [] if entry["name"] != name]
            container["env"] = [*kept, {"name": name, "value": str(value)}]


def is_mock(image: str) -> bool:
    """Tell whether an image is that of the mocks, from whatever registry."""
    return _MOCKS.search(image) is not None


def _merged(known: Any, change: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    merged = dict(known) if isinstance(known, dict) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
