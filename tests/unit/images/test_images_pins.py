"""Which packages an image gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.images.pins import ROOTS, needed, pinned, read_lock

LOCK = """\
# made by a resolver
aiohttp==3.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
Typing_Extensions==4.1 ; python_version < '3.13' \\
    --hash=sha256:cc
    # via aiohttp
"""


def test_an_entry_has_its_marker_and_hashes() -> None:
    assert read_lock(LOCK) == {
        "aiohttp": "aiohttp==3.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb",
        "typing-extensions": "Typing_Extensions==4.1 ; python_version < '3.13' \\\n    --hash=sha256:cc",
    }


def test_only_what_is_wanted_is_pinned() -> None:
    assert "typing" not in pinned(LOCK, ["aiohttp"]).lower()


def test_a_package_that_the_lock_does_not_pin_is_told() -> None:
    with pytest.raises(ConfigurationError, match="does not pin kopf"):
        pinned(LOCK, ["aiohttp", "kopf"])


def test_a_package_that_is_not_installed_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no-such-package-anywhere"):
        needed(["no-such-package-anywhere"], "3.13")


def test_what_packages_need_comes_with_them_but_no_extras() -> None:
    found = needed(ROOTS, "3.13")
    assert {"kopf", "aiohttp", "multidict", "pydantic-core", "anyio"} <= found
    assert not found & {"ansible", "pytest", "kubernetes", "tox", "uvicorn-standard"}


def test_the_lock_of_the_project_pins_all_of_it() -> None:
    lock = Path(__file__).parents[3] / "requirements.lock"
    assert pinned(lock.read_text(), needed(ROOTS, "3.13")).count("==") >= len(ROOTS)
