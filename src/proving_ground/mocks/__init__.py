"""Mock servers of metrics: what an autoscaler reads, set by whoever tests it.

Each is a :class:`Mock` that holds a few numbers; one application answers as all of them. They run inside the pods of
a simulated cluster, and as processes of their own: ``python -m proving_ground.mocks NAME``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from proving_ground.mocks.app import mock_app
from proving_ground.mocks.dcgm import DcgmMock
from proving_ground.mocks.given import MockError, read_query
from proving_ground.mocks.learning import LearningMock
from proving_ground.mocks.mock import MOCK, Mock
from proving_ground.mocks.prometheus import PrometheusMock
from proving_ground.mocks.vllm import VllmMock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DEFAULT_PORTS", "MOCK", "MOCKS", "Mock", "MockError", "mock_app", "read_query"]

MOCKS: Mapping[str, Callable[[Mapping[str, str]], Mock]] = MappingProxyType(
    {kind.name: kind.from_env for kind in (VllmMock, LearningMock, DcgmMock, PrometheusMock)}
)
"""What makes a mock from its environment, by the mock's name; raises :class:`MockError` that names the variable."""

DEFAULT_PORTS: Mapping[str, int] = MappingProxyType(
    {"vllm-metrics": 8000, "learning-metrics": 8000, "dcgm-exporter": 9400, "prometheus": 9090}
)
"""The port of each mock, by its name."""
