from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.models.table import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.models.table import Table


@pytest.fixture
def table_of(tmp_path: Path) -> Callable[..., Table]:
    """A table made of rows ``registry,name,version,flags``, flags being names of columns that say yes."""

    def make(*rows: str) -> Table:
        lines = ["skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent"]
        for row in rows:
            registry, name, version, *flags = row.split(",")
            given = [("yes" if column in flags else "no") for column in ("unoptimized", "hfToken", "private")]
            skip = "yes" if "skip" in flags else "no"
            concurrent = "no" if "alone" in flags else "yes"
            lines.append(",".join([skip, registry, name, version, *given, "20m", concurrent]))
        path = tmp_path / "models.csv"
        path.write_text("\n".join(lines))
        return read(path)

    return make
