"""Names of the marks that namespaces and objects carry; apart from all else, since pods read them when they start."""

from __future__ import annotations

FAULT_ANNOTATION = "proving.ground/fault"
"""Names faults, separated by commas, that stand-ins and mocks are to show in a namespace, or for one object."""
FAULTY_LABEL = "proving.ground/faulty"
"""On namespaces with a fault, since admission can select namespaces by labels only."""
