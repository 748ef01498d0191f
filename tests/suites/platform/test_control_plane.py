"""The API server and who may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Seen

    from proving_ground.contracts.platform import Platform

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]
REFUSED = (401, 403)


async def test_api_server_is_ready(seen: Seen) -> None:
    """The API server says of each of its parts that it is ready."""
    text = await seen.ready()
    assert text.rstrip().endswith("readyz check passed"), text
    assert "[-]" not in text, text


async def test_api_server_has_the_declared_version(seen: Seen, platform: Platform) -> None:
    """The API server has the version that the platform declares."""
    declared = platform.clusters["default"].version
    found = await seen.version()
    seen.check.property("kubernetes_version", found)
    assert declared, "the platform declares no version of its cluster"
    assert found == declared


async def test_anonymous_requests_are_refused(seen: Seen) -> None:
    """A request without credentials reads neither namespaces nor secrets."""
    for path in ("/api/v1/namespaces", "/api/v1/secrets"):
        assert await seen.anonymous(path) in REFUSED, path
