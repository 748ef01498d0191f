"""What NVML tells of a host's GPUs, by a program that is sent there (`proving_ground.gpu.nvml_probe`).

It runs on the host, in a process of its own: NVML can hang on a GPU that is broken, and the controller has no GPUs.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pydantic

from proving_ground.gpu.document import DocumentError, GpuDocument, readable
from proving_ground.gpu.nvml_probe import NO_LIBRARY, NO_NVML

SOURCE = "NVML"
ABSENT = frozenset({NO_LIBRARY, NO_NVML})
"""Exit status of the program where nvidia-smi has to be asked instead."""


@functools.cache
def program() -> str:
    """Return the program's text."""
    return Path(__file__).with_name("nvml_probe.py").read_text(encoding="utf-8")


def parse(content: bytes | str) -> GpuDocument:
    """Return the GPUs that the program printed.

    Raises:
        DocumentError: It is something else.
    """
    try:
        document = _adapter().validate_json(readable(content, SOURCE))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DocumentError(f"expected what the probe prints, found {where}: {first['msg']}", where=SOURCE) from None
    if not document.driver:
        raise DocumentError("expected the driver's version, found none", where=SOURCE)
    return document


@functools.cache
def _adapter() -> pydantic.TypeAdapter[GpuDocument]:
    return pydantic.TypeAdapter(GpuDocument)
