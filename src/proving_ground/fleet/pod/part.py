"""The part of one container in what a pod was told to do: pure, so that it is tested without a pod."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proving_ground.fleet.behaviour import Behaviour, behaviour_of
from proving_ground.mocks import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.fleet.behaviour import MockPlan, Post
    from proving_ground.fleet.pod.own import Told

SERVERS = ("openai",)
"""The server factories, by name; they are imported only where a container is one."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one container does."""

    behaviour: Behaviour
    """That of the pod, as far as it concerns this container."""
    server: str = "none"
    posts: tuple[Post, ...] = ()
    mock: MockPlan | None = None
    log_lines: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """Say what the container is, for its log."""
        if self.mock is not None:
            return f"mock {self.mock.mock}"
        return f"{self.server} server, model {self.behaviour.model}" if self.server != "none" else "container"


def part_of(told: Told, environment: Mapping[str, str]) -> Part:
    """Return what a container does.

    In a simulated pod all containers without a mock are one server; of a real one it is the first of them. The
    annotations about crashes and log lines speak of the pod's first container.

    Args:
        told: What it knows of its pod.
        environment: Its variables, also those that come from elsewhere than the pod's spec.
    """
    whole = behaviour_of(told.pod, told.namespace_faults, SERVERS, DEFAULT_PORTS)
    if whole.pull_fails:
        # The image was pulled, or nobody would read this: what is left to show is a pod that does not come up.
        whole = replace(whole, pull_fails=False, never_ready=True)
    first = bool(told.pod.containers) and told.pod.containers[0].name == told.container
    behaviour = whole if first else replace(whole, crash=None)
    lines = whole.log_lines if first else ()
    plan = next((plan for plan in whole.mocks if plan.container == told.container), None)
    if plan is not None:
        posts = tuple(post for post in whole.posts if post.container == told.container)
        return Part(behaviour, posts=posts, mock=replace(plan, env=dict(environment)), log_lines=lines)
    mocks = {plan.container for plan in whole.mocks}
    main = next((c.name for c in told.pod.containers if c.name not in mocks), "")
    if main != told.container:
        return Part(replace(behaviour, server="none", crash_on_request=False), log_lines=lines)
    posts = tuple(post for post in whole.posts if not post.container)
    return Part(behaviour, server=whole.server, posts=posts, log_lines=lines)
