"""Memory of GPUs: error correction, errors, repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import judging

if TYPE_CHECKING:
    from conftest import Hosts

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]


async def test_error_correction_is_on(hosts: Hosts) -> None:
    """ECC is as declared, and stays so after the next reset."""
    hosts.judge(lambda host: judging.ecc(host.document, host.declared))


async def test_memory_had_no_uncorrectable_errors(hosts: Hosts) -> None:
    """Since the driver was loaded no error of memory happened that could not be corrected."""
    hosts.judge(lambda host: judging.ecc_errors(host.document, host.declared))


async def test_no_repair_of_memory_waits_or_failed(hosts: Hosts) -> None:
    """No row waits to be remapped, none could not be, spare rows are left, and the driver asks for no reset."""
    hosts.judge(lambda host: judging.repairs(host.document))


async def test_few_pages_of_memory_are_retired(hosts: Hosts) -> None:
    """No page waits to be retired, and fewer are than the vendor allows."""
    hosts.judge(lambda host: judging.retired_pages(host.with_pages, host.declared))
