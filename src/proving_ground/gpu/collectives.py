"""What ``all_reduce_perf`` of nccl-tests and rccl-tests prints.

Source: NVIDIA/nccl-tests, doc/PERFORMANCE.md: bus bandwidth is what can be compared with that of the links.
"""

from __future__ import annotations

import dataclasses
import re

from proving_ground.gpu.document import DocumentError, readable, shown

SOURCE = "all_reduce_perf"
#: size, count, type, operation, root, then out of place and in place: time, algorithm and bus bandwidth, wrong values.
_ROW = re.compile(
    r"^\s*(?P<size>\d+)\s+\d+\s+[a-z]\w*\s+[a-z]\w*\s+-?\d+"
    r"\s+(?P<time>[\d.]+)\s+[\d.]+\s+(?P<bus>[\d.]+)\s+(?P<wrong>\d+|N/A)"
    r"(?:\s+[\d.]+\s+[\d.]+\s+(?P<bus_in>[\d.]+)\s+(?P<wrong_in>\d+|N/A))?\s*$"
)
_AVERAGE = re.compile(r"^# Avg bus bandwidth\s*:\s*(?P<bus>[\d.]+)", re.MULTILINE)
_BOUNDS = re.compile(r"^# Out of bounds values\s*:\s*(?P<count>\d+)", re.MULTILINE)
_RANK = re.compile(r"^#\s+Rank\s+\d+\s", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Bandwidths of one run.

    Attributes:
        ranks: GPUs that took part; 0 where it does not say.
        largest: Bytes of the largest message.
        bus: Bus bandwidth with it in GB/s, the better of out of place and in place.
        average: Over all sizes, GB/s.
        wrong: Values that came out wrong.
    """

    ranks: int
    largest: int
    bus: float
    average: float
    wrong: int


def parse(content: bytes | str) -> Measured:
    """Return what a run measured.

    Raises:
        DocumentError: It is no such output, or one that was cut off.
    """
    text = readable(content, SOURCE)
    rows = [match for match in map(_ROW.match, text.splitlines()) if match]
    if not rows:
        raise DocumentError(f"expected a table of bandwidths, found {shown(text)}", where=SOURCE)
    average = _AVERAGE.search(text)
    if average is None:
        raise DocumentError(
            "expected the average bus bandwidth at its end, found none: it did not finish", where=SOURCE
        )
    bounds = _BOUNDS.search(text)
    best = max(rows, key=lambda row: int(row["size"]))
    wrong = sum(int(value) for row in rows for value in (row["wrong"], row["wrong_in"]) if value and value.isdigit())
    return Measured(
        ranks=len(_RANK.findall(text)),
        largest=int(best["size"]),
        bus=max(float(value) for value in (best["bus"], best["bus_in"]) if value),
        average=float(average["bus"]),
        wrong=wrong + (int(bounds["count"]) if bounds else 0),
    )
