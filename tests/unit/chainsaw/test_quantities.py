"""Kubernetes quantities."""

from __future__ import annotations

import pytest

from proving_ground.chainsaw.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("512", "512"),
        ("2e3", "2e3"),
        ("1000", "1k"),
        ("0.1Ki", "102400m"),
        ("-1Gi", "-1Gi"),
        ("0", "0"),
    ],
)
def test_a_quantity_has_one_canonical_form(text: str, canonical: str) -> None:
    assert str(parse_quantity(text)) == canonical


@pytest.mark.parametrize("text", ["", "1Kb", "Gi", "1 Gi", "1h", "e3", "1e", "1e99999", "0x10", "1Gi\n"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)
