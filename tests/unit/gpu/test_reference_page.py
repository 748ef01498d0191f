"""docs/reference/gpus.md names what the code knows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from proving_ground.gpu.declared import DeclaredGpu
from proving_ground.gpu.xids import XIDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/gpus.md").read_text(encoding="utf-8")


def test_every_declared_field_is_described() -> None:
    missing = [
        name for name, field in DeclaredGpu.model_fields.items() if f"| `{name}` | {field.description} |" not in PAGE
    ]
    assert missing == []


def test_every_xid_is_in_the_table_with_its_meaning() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| (.+?) \| (\w+) \| (.+?) \|$", PAGE, re.MULTILINE)
    told = {int(code): (what, blame, todo) for codes, what, blame, todo in rows for code in codes.split(", ")}
    assert told == {code: (xid.meaning, xid.blame, xid.todo) for code, xid in XIDS.items()}


def test_every_product_is_in_the_table_with_its_thresholds() -> None:
    skus = yaml.safe_load((ROOT / "inventories/bare_metal/group_vars/all/gpu_skus.yml").read_text())["gpu_skus"]
    lines = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `") and "-" in line}
    lines |= {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `MI")}
    for name, sku in skus.items():
        told = [cell.strip() for cell in lines[name].split("|")[2:-1]]
        assert told[:4] == [str(sku[field]) for field in ("memory_mib", "driver_min", "pcie_generation", "links")]
        assert (told[4], told[-1]) == (str(sku["power_cap_watts"]), str(sku["bus_bandwidth"]))
