"""What the stand-in knows about model images: the part that a registry and the images' labels play for the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, ValidationError

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError
from proving_ground.models.names import served_model_id

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.models.table import Row

MAX_BYTES = 32 * 1024 * 1024

_PARAMETERS = re.compile(r"(?:(?P<experts>\d+)x)?(?P<billions>\d+(?:[.]\d+)?)b(?![a-z0-9])")
# Weights in 16 bit need about 2 GB for each billion parameters; with room for the cache and activations
# one 192 GB device (MI300X) holds about 40 billion, and engines split over 1, 2, 4 or 8 devices.
_GPUS = ((40.0, 1), (65.0, 2), (140.0, 4))
_MOST_GPUS = 8


class Entry(Contract):
    """One model image. What is not given follows from the image's name."""

    image: str = Field(min_length=1, description="Full reference, as registry/name:version.")
    model: str = Field(default="", description="Model id that the endpoint serves, as org/name.")
    gpus: int = Field(default=0, ge=0, description="GPUs that one replica requests; 0: by the size in the name.")
    load_seconds: float | None = Field(default=None, ge=0, description="Seconds from container start to ready.")
    gated: bool = Field(default=False, description="Whether its weights need a Hugging Face token.")
    private: bool = Field(default=False, description="Whether its registry needs a pull secret.")
    optimized: bool = Field(default=True, description="Whether it has a template that is optimised.")

    def completed(self) -> Entry:
        """Return this entry with every value that was left out filled in."""
        gpus = self.gpus or gpus_for(self.image)
        seconds = load_seconds_for(gpus) if self.load_seconds is None else self.load_seconds
        return self.model_copy(
            update={"model": self.model or served_model_id(self.image), "gpus": gpus, "load_seconds": seconds}
        )


class CatalogueFile(Contract):
    """The whole of a catalogue file."""

    models: tuple[Entry, ...] = ()


def billions_of_parameters(image: str) -> float | None:
    """Return the size that an image's name tells, in billions: ``8b`` is 8, ``8x22b`` 176; None if it tells none."""
    name = image.rsplit("/", 1)[-1].split(":", 1)[0].lower()
    sizes = [float(m["billions"]) * int(m["experts"] or 1) for m in _PARAMETERS.finditer(name)]
    return max(sizes, default=None)


def gpus_for(image: str) -> int:
    """Return how many GPUs a replica of this image requests: 1 up to 40 billion parameters, then 2, 4 and 8."""
    billions = billions_of_parameters(image)
    if billions is None:
        return 1
    return next((count for limit, count in _GPUS if billions < limit), _MOST_GPUS)


def load_seconds_for(gpus: int) -> float:
    """Return the simulated load time in seconds: 1.0 on one GPU, half a second more each time their number doubles."""
    return 1.0 + 0.5 * (max(gpus, 1).bit_length() - 1)


class Catalogue:
    """Model images by reference and by model name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Complete the entries; of two with the same image the first counts."""
        self._by_image: dict[str, Entry] = {}
        self._by_name: dict[str, Entry] = {}
        for entry in entries:
            full = entry.completed()
            if full.image in self._by_image:
                continue
            self._by_image[full.image] = full
            for name in (full.model, full.image.rsplit("/", 1)[-1].split(":", 1)[0]):
                self._by_name.setdefault(name, full)

    def __len__(self) -> int:
        """Return how many images it knows."""
        return len(self._by_image)

    def by_image(self, image: str) -> Entry | None:
        """Return the entry of an image reference, or None where there is no such image."""
        return self._by_image.get(image)

    def by_name(self, name: str) -> Entry | None:
        """Return the entry of a model id or of an image's plain name, or None."""
        return self._by_name.get(name)


def from_rows(rows: Iterable[Row]) -> Catalogue:
    """Return the catalogue that a models.csv stands for; skipped rows are images too."""
    return Catalogue(
        Entry(image=row.image, gated=row.hf_token, private=row.private, optimized=not row.unoptimized) for row in rows
    )


def read(path: Path) -> Catalogue:
    """Read a catalogue file: YAML or JSON of :class:`CatalogueFile`, or a models.csv.

    Raises:
        ConfigurationError: The file cannot be read, or its content is not a catalogue.
    """
    if path.suffix == ".csv":
        from proving_ground.models import table  # noqa: PLC0415  needed for this kind of file only

        return from_rows(table.read(path).rows)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"expected a catalogue of at most {MAX_BYTES} bytes", where=str(path))
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ConfigurationError(f"the catalogue cannot be read: {error.strerror}", where=str(path)) from error
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"expected YAML or JSON: {reason}", where=str(path)) from error
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"expected a mapping with models, found {type(data).__name__}", where=str(path))
    try:
        return Catalogue(CatalogueFile.model_validate(data).models)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{field}: {first['msg']}", where=str(path), hint="see docs/reference/aim.md"
        ) from None
