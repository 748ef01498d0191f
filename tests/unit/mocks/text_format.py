"""Checks of Prometheus' text format, as its own tool for rules and metrics makes them."""

from __future__ import annotations

import math
import re
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

_NAME = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*", re.MULTILINE)


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return labels and value of each series, by metric name."""
    names = set(_NAME.findall(text))
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            # The parser adds the ending of a counter where the page has none.
            name = sample.name if sample.name in names else sample.name.removesuffix("_total")
            found.setdefault(name, []).append((dict(sample.labels), sample.value))
    return found


def value(text: str, name: str) -> float:
    """Return the value of a metric that has one series."""
    [(_, found)] = samples(text)[name]
    return found


def faults(text: str, *, foreign: tuple[str, ...] = ()) -> list[str]:
    """Return what is wrong with a page of metrics.

    Args:
        text: The page.
        foreign: Beginnings of names that another project chose; their counters need not end in ``_total``.
    """
    wrong = [] if text.endswith("\n") else ["the page does not end in a newline"]
    lines = text.splitlines()
    comments = [tuple(line.split(" ")[1:3]) for line in lines if line.startswith("#")]
    wrong += [f"{word} of {name} stands twice" for (word, name), n in Counter(comments).items() if n > 1]
    series = Counter(line.rpartition(" ")[0] for line in lines if line and not line.startswith("#"))
    wrong += [f"series {name} stands twice" for name, n in series.items() if n > 1]
    names = set(_NAME.findall(text))
    for family in text_string_to_metric_families(text):
        if not family.documentation:
            wrong.append(f"{family.name} has no HELP")
        if family.type == "unknown":
            wrong.append(f"{family.name} has no TYPE")
        if not family.samples:
            wrong.append(f"{family.name} has no series")
        for sample in family.samples:
            if not math.isfinite(sample.value):
                wrong.append(f"{sample.name} is {sample.value}")
            # The parser adds the ending where the page has none.
            if family.type == "counter" and sample.name not in names and not sample.name.startswith(foreign):
                wrong.append(f"the counter {family.name} does not end in _total")
    return wrong
