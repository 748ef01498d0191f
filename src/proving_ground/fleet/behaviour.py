"""How a pod behaves: its annotations and the faults it is told to show, read into one value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from proving_ground.fleet.views import PodView, faults_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PREFIX = "sim.proving.ground/"
DEFAULT_PORT = 8000
SLOW_START_SECONDS = 5.0
CRASH_AFTER_READY_SECONDS = 1.0
MAX_SECONDS = 86400.0
KNOWN_FAULTS = frozenset({"wrong-model", "endpoint-500", "pod-crash", "never-ready", "slow-start"})

_INFERENCE_IMAGE = re.compile(r"(^|[/_-])(vllm|aim-|sglang|llm-d-inference-sim|text-generation-inference|openai)")
_KNOWN = frozenset(
    {
        "complete", "crash", "first-token-seconds", "image-pull", "load-seconds", "log-lines", "max-model-len",
        "max-running", "model", "port", "serve", "token-seconds",
    }
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crash:
    """When and how a container dies."""

    after: float
    """Seconds from its start."""
    exit_code: int = 1
    reason: str = "Error"
    once: bool = False
    """Whether the run after the first is spared."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the pod generates, and how much at once; zero seconds means at once."""

    first_token: float = 0.0
    token: float = 0.0
    max_running: int = 256
    max_model_len: int = 32768


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All that a pod has been told to do."""

    server: str = "none"
    ports: tuple[tuple[str, int], ...] = ()
    model: str = ""
    load: float = 0.0
    """Seconds from start to Ready."""
    never_ready: bool = False
    pull_fails: bool = False
    crash: Crash | None = None
    crash_on_request: bool = False
    complete: float | None = None
    """Seconds from start to a successful end."""
    wrong_model: bool = False
    answers_500: bool = False
    speed: Speed = Speed()
    log_lines: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be understood, one sentence each; the default holds in its place."""


def model_of_image(image: str) -> str:
    """Derive a model id from an image: its name without registry, tag, digest and the prefix ``aim-``."""
    name = image.rsplit("/", 1)[-1].split("@", 1)[0].split(":", 1)[0]
    return name.removeprefix("aim-") or "model"


def server_of_image(image: str) -> str:
    """Name the server factory for an image: ``openai`` for images of inference servers, else ``none``."""
    return "openai" if _INFERENCE_IMAGE.search(image.split("@", 1)[0].lower()) else "none"


class _Reader:
    """Reads annotations, and collects what is wrong with them."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._annotations = annotations
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._annotations.get(PREFIX + name, default).strip()

    def value(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        text = self._annotations.get(PREFIX + name)
        if text is None:
            return default
        try:
            return parse(text.strip())
        except ValueError as error:
            self.problems.append(f"annotation {PREFIX}{name}: {error}, found {text[:80]!r}")
            return default


def _seconds(text: str) -> float:
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        raise ValueError("expected seconds") from None
    if not math.isfinite(value) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"expected 0 to {MAX_SECONDS:.0f} seconds")
    return value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not low <= int(text[:12]) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def _words(text: str, allowed: Iterable[str]) -> dict[str, str]:
    """Read ``key=value, flag``; an unknown or repeated key is an error."""
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, _, value = part.partition("=")
        if key not in allowed or key in found:
            raise ValueError(f"expected {', '.join(sorted(allowed))}, each at most once")
        found[key] = value
    return found


def _crash(text: str) -> Crash:
    words = _words(text, ("after", "exit", "reason", "once"))
    return Crash(
        after=_seconds(words.get("after", "0")),
        exit_code=_whole(1, 255)(words.get("exit", "1")),
        reason=words.get("reason") or "Error",
        once="once" in words,
    )


def _complete(text: str) -> float | None:
    return _seconds(_words(text, ("after",)).get("after", "0"))


def _image_pull(text: str) -> bool:
    if text not in {"fail", "ok"}:
        raise ValueError("expected fail or ok")
    return text == "fail"


def _with_faults(behaviour: Behaviour, faults: frozenset[str]) -> Behaviour:
    changed = replace(
        behaviour,
        wrong_model="wrong-model" in faults,
        answers_500="endpoint-500" in faults,
        never_ready="never-ready" in faults,
    )
    if "slow-start" in faults:
        changed = replace(changed, load=changed.load + SLOW_START_SECONDS)
    if "pod-crash" in faults:
        crash = Crash(after=changed.load + CRASH_AFTER_READY_SECONDS)
        changed = replace(changed, crash=changed.crash or crash, crash_on_request=True)
    return changed


def behaviour_of(pod: PodView, namespace_faults: frozenset[str] | None, servers: Iterable[str]) -> Behaviour:
    """Read how a pod behaves.

    Args:
        pod: The pod; its own fault annotation wins over that of its namespace.
        namespace_faults: The faults that its namespace names, or None.
        servers: Names of the server factories there are.
    """
    read = _Reader(pod.annotations)
    first = pod.containers[0] if pod.containers else None
    image = first.image if first else ""
    allowed = {*servers, "none"}
    server = read.text("serve")
    if server and server not in allowed:
        read.problems.append(
            f"annotation {PREFIX}serve: expected one of {', '.join(sorted(allowed))}, found {server!r}"
        )
        server = "none"
    server = server or server_of_image(image)
    declared = tuple(port for container in pod.containers for port in container.ports)
    number = read.value("port", 0, _whole(1, 65535))
    ports = ((next((n for n, p in declared if p == number), ""), number),) if number else declared
    behaviour = Behaviour(
        server=server if server in allowed else "none",
        ports=tuple(dict.fromkeys(ports)) or (("http", DEFAULT_PORT),),
        model=read.text("model") or model_of_image(image),
        load=read.value("load-seconds", 0.0, _seconds),
        pull_fails=read.value("image-pull", False, _image_pull),
        crash=read.value("crash", None, _crash),
        complete=read.value("complete", None, _complete),
        speed=Speed(
            first_token=read.value("first-token-seconds", 0.0, _seconds),
            token=read.value("token-seconds", 0.0, _seconds),
            max_running=read.value("max-running", 256, _whole(1, 100_000)),
            max_model_len=read.value("max-model-len", 32768, _whole(1, 10_000_000)),
        ),
        log_lines=tuple(read.text("log-lines").splitlines()),
    )
    for name in sorted(pod.annotations):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _KNOWN:
            read.problems.append(f"annotation {name} is not known to the fleet")
    own = faults_of(pod.annotations)
    faults = own if own is not None else namespace_faults or frozenset()
    return replace(_with_faults(behaviour, faults & KNOWN_FAULTS), problems=tuple(read.problems))
