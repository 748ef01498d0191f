"""platform.json: what creating, provisioning and deploying produced, the only hand-over to suites."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from proving_ground.contracts.base import Contract

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", max_length=63)]


class Cluster(Contract):
    """A Kubernetes cluster that suites may use."""

    kubeconfig: str = Field(description="Absolute path of the kubeconfig, in the private state directory.")
    context: str | None = Field(default=None, description="Context in that kubeconfig; its current one if absent.")
    server: str = Field(default="", description="URL of the API server, for people.")
    version: str = Field(default="", description="Kubernetes version, as v1.36.3.")
    kubectl: str = Field(default="", description="Absolute path of a kubectl that fits; that on PATH if empty.")
    images: dict[Name, str] = Field(
        default={}, description="Images that every node has, by what they are for: `tools` has Python 3 and curl."
    )


class Host(Contract):
    """A machine that suites may check."""

    name: str
    groups: list[str] = []
    ssh_config: str | None = Field(default=None, description="Absolute path of an ssh_config(5) file that knows it.")
    declared: dict[str, object] = Field(default={}, description="Declared values and thresholds, from the inventory.")


class Endpoint(Contract):
    """An address that answers requests."""

    url: str
    protocol: Literal["http", "h2c", "grpc"] = "http"
    via: str | None = Field(default=None, description="Proxy or gateway that the request goes through.")
    ca: str | None = Field(default=None, description="Absolute path of the CA bundle.")
    auth: str | None = Field(default=None, description="Absolute path of a file with the bearer token.")


class System(Contract):
    """A thing under test, as it is present on this platform."""

    implementation: Literal["stand_in", "command", "manifests", "chart", "existing"]
    version: str = ""
    note: str = Field(
        default="", description="What whoever reads results has to know of it, for example that its weights are random."
    )
    cadences: dict[str, float] = Field(default={}, description="Seconds between what the system does by itself.")
    parameters: dict[str, object] = Field(
        default={}, description="What the inventory set for this system's suites, for example models_csv."
    )


class Capabilities(Contract):
    """What the inventory promised, and what was found present after deploy."""

    promised: list[Name] = []
    present: list[Name] = []


class Clock(Contract):
    """The clock that all times of the run are told on."""

    started: dt.datetime
    speed: float = Field(default=1.0, gt=0, description="Simulated seconds in a real one; 1.0 on real platforms.")


class Platform(Contract):
    """The whole of platform.json."""

    schema_version: Literal[1] = 1
    run_id: str
    inventory: str = Field(description="Name of the inventory, for reports; suites never branch on it.")
    clusters: dict[Name, Cluster] = {}
    hosts: list[Host] = []
    endpoints: dict[Name, Endpoint] = {}
    systems: dict[Name, System] = {}
    capabilities: Capabilities = Capabilities()
    parallel: int = Field(
        default=0,
        ge=0,
        description="Most checks of a suite under way at once, where pods cost more; 0: the suite's own.",
    )
    clock: Clock
