"""Gates: rules that turn the measurements of a run into a verdict, as data in stages.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import pydantic
from pydantic import Field, FiniteFloat, TypeAdapter, model_validator

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Statistic = Literal["mean", "median", "p90", "p95", "p99", "minimum", "maximum"]


class _Gate(Contract):
    """What every gate has."""

    metric: str = Field(
        min_length=1,
        description="Pattern (fnmatch) of suite/scenario/metric, for example `load/*/ttft_ms`.",
        pattern=r"^[^/]+/.+/[^/]+$",
    )
    statistic: Statistic = Field(
        default="median", description="Which number of a run's values is judged; of a single value all are the same."
    )


class AbsoluteGate(_Gate):
    """A limit that holds on every machine."""

    kind: Literal["absolute"]
    at_most: FiniteFloat | None = Field(default=None, description="In the metric's unit.")
    at_least: FiniteFloat | None = Field(default=None, description="In the metric's unit.")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.at_most is None and self.at_least is None:
            raise ValueError("an absolute gate needs at_most or at_least")
        if self.at_most is not None and self.at_least is not None and self.at_most < self.at_least:
            raise ValueError("at_most is below at_least")
        return self


class Band(Contract):
    """What a metric is on one kind of hardware, in its unit."""

    reference: FiniteFloat = Field(description="What it is there.")
    lower: FiniteFloat = Field(description="The least that is as it should be.")
    upper: FiniteFloat = Field(description="The most that is as it should be.")

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.lower <= self.reference <= self.upper:
            raise ValueError("a band needs lower <= reference <= upper")
        return self


class BandGate(_Gate):
    """Limits for each hardware; beyond them on the worse side is a regression, on the other an improvement."""

    kind: Literal["band"]
    bands: dict[str, Band] = Field(
        min_length=1, description="Hardware fingerprint, as `proving-ground history show` tells it, or `*` -> band."
    )


class Samples(Contract):
    """How many runs a comparison takes."""

    baseline: int = Field(default=5, ge=2, le=200, description="Fewest runs of the baseline.")
    candidate: int = Field(default=1, ge=1, le=200, description="Latest runs that are judged together.")
    most: int = Field(default=30, ge=2, le=1000, description="Most runs of the baseline, the latest.")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.most < self.baseline:
            raise ValueError("most is below baseline")
        return self


class RelativeGate(_Gate):
    """No worse than a baseline measured on the same hardware with the same configuration."""

    kind: Literal["relative"]
    baseline: str = Field(
        default="last_good",
        min_length=1,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="previous_release, last_good, main, or the name of a baseline (`proving-ground history baseline`).",
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="Chance of a false alarm in one run, over all metrics together."
    )
    minimal_effect: float = Field(
        default=0.05, ge=0, lt=10, description="Share of the baseline below which a difference does not matter."
    )
    minimal_change: dict[str, Annotated[FiniteFloat, Field(ge=0)]] = Field(
        default={},
        description="Unit -> difference below which it does not matter, whatever its share: what cannot be measured.",
    )
    find: float = Field(
        default=0.1, gt=0, lt=10, description="Change, as a share, for which the runs that finding it takes are told."
    )
    samples: Samples = Samples()


Gate = Annotated[AbsoluteGate | BandGate | RelativeGate, Field(discriminator="kind")]


class Gates(Contract):
    """A file of gates, for `proving-ground history gate --gates FILE`."""

    gates: list[Gate] = Field(min_length=1)


GATES_FILE = "gates.json"
"""In the private directory of a run: the gates of its stage, for its checks."""

_GATES: TypeAdapter[list[Gate]] = TypeAdapter(list[Gate])


def gates_json(gates: Sequence[Gate]) -> str:
    """Return gates as the content of `GATES_FILE`."""
    return _GATES.dump_json(list(gates)).decode()


def read_gates(folder: Path) -> tuple[Gate, ...]:
    """Return the gates of a run; none where its stage has none.

    Args:
        folder: Private directory of the run.

    Raises:
        ConfigurationError: The file is damaged.
    """
    try:
        return tuple(_GATES.validate_json((folder / GATES_FILE).read_bytes()))
    except FileNotFoundError:
        return ()
    except (OSError, pydantic.ValidationError) as error:
        raise ConfigurationError("cannot be read as gates", where=str(folder / GATES_FILE)) from error
