"""How a pod behaves: annotations, arguments of containers and the faults it is told to show, read into one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proving_ground.fleet.factories.misbehaviour import FAULTS
from proving_ground.fleet.images import mock_of, model_of_image, server_of_image
from proving_ground.fleet.inference import Inference, Speed, inference_of, speed_of
from proving_ground.fleet.values import Reader, arguments, one_of, seconds, whole, words
from proving_ground.fleet.views import ContainerView, PodView, faults_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "sim.proving.ground/"
DEFAULT_PORT = 8000
SLOW_START_SECONDS = 5.0
CRASH_AFTER_READY_SECONDS = 1.0
KNOWN_FAULTS = frozenset({"wrong-model", "endpoint-500", "pod-crash", "never-ready", "slow-start"})
"""What a pod can be told to show, beside what its server can do wrong."""

_KNOWN = frozenset(
    {
        "complete", "crash", "first-token-seconds", "image-pull", "kv-metric", "kv-scale", "load-seconds", "log-lines",
        "max-model-len", "max-running", "model", "port", "serve", "token-seconds",
    }
)  # fmt: skip
_NO_CONTAINER = ContainerView("", "")


@dataclass(frozen=True, slots=True)
class Post:
    """A port on which a pod listens, and who answers there."""

    number: int
    name: str = ""
    container: str = ""
    """The container whose mock answers; empty for the pod's server."""


@dataclass(frozen=True, slots=True)
class MockPlan:
    """A container that runs a mock."""

    container: str
    mock: str
    """Which mock; not checked."""
    env: Mapping[str, str] = field(default_factory=dict)


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
class Behaviour:
    """All that a pod has been told to do."""

    server: str = "none"
    """Who answers for the containers that run no mock."""
    posts: tuple[Post, ...] = ()
    mocks: tuple[MockPlan, ...] = ()
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
    misbehaviours: frozenset[str] = frozenset()
    """What its server does wrong."""
    speed: Speed = field(default_factory=Speed)
    inference: Inference = field(default_factory=Inference)
    log_lines: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Annotations that could not be understood, one sentence each; the default holds in its place."""
    argument_problems: tuple[str, ...] = ()
    """The same of arguments."""

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """Name (empty if none) and number of each port."""
        return tuple((post.name, post.number) for post in self.posts)

    def post(self, number: int) -> Post | None:
        """Return who answers on a port, or None."""
        return next((post for post in self.posts if post.number == number), None)


def _crash(text: str) -> Crash:
    found = words(text, ("after", "exit", "reason", "once"))
    return Crash(
        after=seconds(found.get("after", "0")),
        exit_code=whole(1, 255)(found.get("exit", "1")),
        reason=found.get("reason") or "Error",
        once="once" in found,
    )


def _complete(text: str) -> float | None:
    return seconds(words(text, ("after",)).get("after", "0"))


def _image_pull(text: str) -> bool:
    return one_of("fail", "ok")(text) == "fail"


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


def _server(annotations: Reader, image: str, servers: Iterable[str], mocks: Iterable[str]) -> str:
    """Return the server factory of a pod by its first container, which runs no mock."""
    allowed = {*servers, "none"}
    named = annotations.text("serve")
    if named and named not in allowed:
        expected = ", ".join(sorted(allowed.union(mocks)))
        annotations.problems.append(f"annotation {PREFIX}serve: expected one of {expected}, found {named!r}")
        return "none"
    server = named or server_of_image(image)
    return server if server in allowed else "none"


def _model(container: ContainerView, told: Reader) -> str:
    """Return the model id that a server is told to serve by its arguments, else that of its image."""
    names = told.text("served-model-name").replace(",", " ").split()
    return names[0] if names else told.text("model") or model_of_image(container.image)


def _posts(declared: Iterable[tuple[str, int]], number: int, default: int, container: str = "") -> list[Post]:
    """Return the ports of a server: the one that it was told, else those declared, else its default."""
    ports = tuple(dict.fromkeys(declared)) or (("http", default),)
    if number:
        ports = ((next((name for name, port in ports if port == number), ""), number),)
    return [Post(port, name, container) for name, port in ports]


def _mocks(
    containers: Iterable[ContainerView], first: str | None, port: int, defaults: Mapping[str, int]
) -> tuple[list[MockPlan], list[Post]]:
    """Return what the containers with mocks run, and their ports.

    Args:
        containers: All containers.
        first: The mock of the first, or None.
        port: The port that the first was told, or 0.
        defaults: The port of each mock where none is declared.
    """
    plans: list[MockPlan] = []
    posts: list[Post] = []
    for index, container in enumerate(containers):
        mock = first if index == 0 else mock_of(container)
        if mock is None:
            continue
        told = Reader(arguments(container.args), "argument", "--").value("port", 0, whole(1, 65535))
        plans.append(MockPlan(container.name, mock, container.env))
        number = (port if index == 0 else 0) or told
        posts += _posts(container.ports, number, defaults.get(mock, DEFAULT_PORT), container.name)
    return plans, posts


def behaviour_of(
    pod: PodView,
    namespace_faults: frozenset[str] | None,
    servers: Iterable[str],
    mocks: Mapping[str, int] | None = None,
) -> Behaviour:
    """Read how a pod behaves.

    The annotations speak of its first container. A container with the image of the mocks runs the mock that its
    arguments name; all others are one server.

    Args:
        pod: The pod; its own fault annotation wins over that of its namespace.
        namespace_faults: The faults that its namespace names, or None.
        servers: Names of the server factories there are.
        mocks: The port of each mock where none is declared.
    """
    mocks = mocks or {}
    read = Reader(pod.annotations, "annotation", PREFIX)
    sidecars = [c for c in pod.init_containers if c.sidecar and mock_of(c) is not None]
    containers = (*pod.containers, *sidecars)
    first = containers[0] if containers else _NO_CONTAINER
    named = read.text("serve")
    first_mock = named if named in mocks else None if named else mock_of(first)
    plain = [c for i, c in enumerate(containers) if (first_mock if i == 0 else mock_of(c)) is None]
    main = plain[0] if plain else _NO_CONTAINER
    told = Reader(arguments(main.args), "argument", "--")
    port = read.value("port", 0, whole(1, 65535))
    server = "none"
    if first_mock is None:
        server = _server(read, first.image, servers, mocks)
    elif server_of_image(main.image) in servers:
        server = server_of_image(main.image)
    plans, posts = _mocks(containers, first_mock, port, mocks)
    if server != "none":
        number = (port if first_mock is None else 0) or told.value("port", 0, whole(1, 65535))
        posts = _posts((p for c in plain for p in c.ports), number, DEFAULT_PORT) + posts
    behaviour = Behaviour(
        server=server,
        posts=tuple({post.number: post for post in reversed(posts)}.values())[::-1],
        mocks=tuple(plans),
        model=read.text("model") or _model(main, told),
        load=read.value("load-seconds", 0.0, seconds),
        pull_fails=read.value("image-pull", False, _image_pull),
        crash=read.value("crash", None, _crash),
        complete=read.value("complete", None, _complete),
        log_lines=tuple(read.text("log-lines").splitlines()),
    )
    if server != "none":
        behaviour = replace(behaviour, speed=speed_of(main, read, told), inference=inference_of(main, read, told))
    for name in sorted(pod.annotations):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _KNOWN:
            read.problems.append(f"annotation {name} is not known to the fleet")
    own = faults_of(pod.annotations)
    faults = own if own is not None else namespace_faults or frozenset()
    return replace(
        _with_faults(behaviour, faults & KNOWN_FAULTS),
        misbehaviours=faults & FAULTS,
        problems=tuple(read.problems),
        argument_problems=tuple(told.problems),
    )
