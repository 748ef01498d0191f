"""The mock ``dcgm-exporter``: the counters of GPUs that are not there."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from proving_ground.mocks.answer import Answer
from proving_ground.mocks.dcgm_fields import ENERGY, ENERGY_DESCRIPTION, FIELDS, TOTAL, Gpu
from proving_ground.mocks.exposition import family, labels
from proving_ground.mocks.given import Given, MockError
from proving_ground.mocks.mock import Mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_GPUS = 64
MAX_MEBIBYTES = 2**30
NAME_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change about the GPUs of a mock."""

    labels: tuple[str, ...]
    """Written labels, one for each GPU."""
    fb_total: float = 40000.0
    """Mebibytes of each GPU."""
    fb_reserved: float = 0.0
    emits_total: bool = True
    """Whether the metric of the total is there, as a stock exporter's is not."""


def read_machine(given: Given) -> Machine:
    """Read the machine from the environment.

    Raises:
        MockError: A variable cannot be used; the message names it.
    """

    def name(variable: str, default: str) -> str:
        text = given.text(variable)
        if text is not None and not 0 < len(text) <= NAME_LIMIT:
            raise given.error(variable, f"1 to {NAME_LIMIT} characters")
        return text or default

    count = given.whole("GPU_COUNT", 1, MAX_GPUS) or 1
    uuid = name("GPU_UUID", "GPU-abc123")
    model = name("GPU_MODEL", "NVIDIA A100")
    host = (given.word("HOSTNAME_LABEL", ("Hostname", "hostname")) or "hostname", name("NODE_NAME", "gpu-node"))
    pod = tuple((key, name(f"LABEL_{key.upper()}", "")) for key in ("container", "namespace", "pod"))
    written = tuple(
        labels(
            (
                ("gpu", str(index)),
                ("UUID", uuid if count == 1 else f"{uuid}-{index}"),
                ("pci_bus_id", f"00000000:{index + 1:02X}:00.0"),
                ("device", f"nvidia{index}"),
                ("modelName", model),
                host,
                *((key, text) for key, text in pod if text),
            )
        )
        for index in range(count)
    )
    total = given.whole("FB_TOTAL", 1, MAX_MEBIBYTES) or 40000
    reserved = given.whole("FB_RESERVED", 0, total) or 0
    emits = (given.word("EMIT_FB_TOTAL", ("true", "false")) or "true") == "true"
    return Machine(written, float(total), float(reserved), emits)


class DcgmMock(Mock):
    """Shows counters that follow the utilisation and the used memory of each GPU.

    Args:
        machine: The GPUs.
        gpu: What each GPU does at first.
        clock: Returns unix seconds.

    Raises:
        MockError: The memory in use is more than there is.
    """

    __slots__ = ("_around", "_energy", "_gpus", "_latest", "_machine", "_since")

    name: ClassVar[str] = "dcgm-exporter"
    scraped: ClassVar[frozenset[str]] = frozenset({"/metrics"})
    settable: ClassVar[tuple[str, ...]] = ("gpu_util", "fb_used", "gpu")
    columns: ClassVar[tuple[str, ...]] = ("gpu_util", "fb_used")

    def __init__(self, machine: Machine, gpu: Gpu, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._machine = machine
        self._gpus = [gpu] * len(machine.labels)
        self._energy = [0.0] * len(machine.labels)
        self._since = self._latest = clock()
        self._around: tuple[str, str] | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], clock: Callable[[], float] = time.time) -> DcgmMock:
        """Make one from its environment.

        Raises:
            MockError: A variable cannot be used; the message names it.
        """
        given = Given(env, "variable")
        machine = read_machine(given)
        room = machine.fb_total - machine.fb_reserved
        used = given.number("INITIAL_FB_USED", 0, room)
        util = given.number("INITIAL_GPU_UTIL", 0, 100)
        gpu = Gpu(
            50.0 if util is None else util,
            min(20000.0, room) if used is None else used,
            machine.fb_total,
            machine.fb_reserved,
        )
        return cls(machine, gpu, clock)

    def answer(self, path: str, query: Mapping[str, str], now: float) -> Answer:
        """Answer with all counters; only the energy moves by itself."""
        del path, query
        if self._around is None:
            names = list(FIELDS)
            cut = names.index(ENERGY)
            self._around = self._written(names[:cut]), self._written(names[cut + 1 :])
        before, after = self._around
        series = zip(self._machine.labels, self._energies(now), strict=True)
        return Answer.metrics(before + family(ENERGY, "counter", ENERGY_DESCRIPTION, series) + after)

    def _written(self, names: list[str]) -> str:
        return "".join(
            family(
                name,
                FIELDS[name].kind,
                FIELDS[name].description,
                zip(self._machine.labels, map(FIELDS[name].of, self._gpus), strict=True),
            )
            for name in names
            if name != TOTAL or self._machine.emits_total
        )

    def _energies(self, now: float) -> list[float]:
        """Return the millijoules that each GPU has used; never less than before, though a clock may be set back."""
        self._latest = max(self._latest, now)
        passed = self._latest - self._since
        return [
            float(int(energy + gpu.power * passed * 1000)) for energy, gpu in zip(self._energy, self._gpus, strict=True)
        ]

    def seen(self, now: float) -> tuple[float, ...]:
        """Return the mean utilisation in percent and the mean used memory in mebibytes."""
        del now
        number = len(self._gpus)
        return sum(gpu.util for gpu in self._gpus) / number, sum(gpu.fb_used for gpu in self._gpus) / number

    def values(self) -> dict[str, float]:
        """Return the mean of each counter over the GPUs."""
        number = len(self._gpus)
        means = {
            name: sum(map(field.of, self._gpus)) / number
            for name, field in FIELDS.items()
            if name != TOTAL or self._machine.emits_total
        }
        means[ENERGY] = sum(self._energies(self.clock())) / number
        return means

    def _prepare_values(self, given: Given) -> Callable[[], None]:
        index = given.whole("gpu", 0, len(self._gpus) - 1)
        util = given.number("gpu_util", 0, 100)
        used = given.number("fb_used", 0, self._machine.fb_total - self._machine.fb_reserved)
        if index is not None and util is None and used is None:
            raise MockError("expected gpu_util or fb_used with it, found neither", where="parameter gpu")
        changed: dict[str, float] = {}
        if util is not None:
            changed["util"] = util
        if used is not None:
            changed["fb_used"] = used

        def commit() -> None:
            self._energy = self._energies(self.clock())
            self._since = self._latest
            chosen = range(len(self._gpus)) if index is None else (index,)
            for number in chosen:
                self._gpus[number] = replace(self._gpus[number], **changed)
            self._around = None

        return commit
