"""A session of somebody else's project that has Chainsaw tests: those are ours, everything else is not touched."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.chainsaw.choices import Choices, Session
from proving_ground.contracts.platform import Capabilities, Clock, Cluster, Platform
from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.kube import Overrides
from proving_ground.plugin.check_run import CheckRun, Settings
from proving_ground.plugin.event_log import EventLog, Masking
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.loop import ConcurrentLoop
from proving_ground.plugin.recorder import EventRecorder
from proving_ground.plugin.skipping import NOT_STARTED, skip

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

NAME = "proving-ground-guest"
ERROR = "proving_ground_error"
_LONGEST_CLEANUP = 3600.0  # seconds; time-outs in the files end it long before

#: What the run was asked for, where a command of ours started this pytest; else it is read from pytest's options.
CHOICES: pytest.StashKey[Choices] = pytest.StashKey()


def guest_of(config: pytest.Config) -> Guest | None:
    """Return the guest of a session, which comes to be with the first Chainsaw test; None where a platform is verified.

    Raises:
        ConfigurationError: What the options or the Configuration say cannot be used.
    """
    known: Guest | None = config.pluginmanager.get_plugin(NAME)
    if known is not None or config.getoption("platform_file", None) is not None:
        return known
    made = Guest(config, config.stash.get(CHOICES, None) or choices_of(config))
    config.addinivalue_line("markers", "chainsaw: a Chainsaw test")
    config.pluginmanager.register(made, NAME)
    config.pluginmanager.register(ConcurrentLoop(made, alone=False), "proving-ground-loop")
    return made


def choices_of(config: pytest.Config) -> Choices:
    """Return what pytest's options ask for."""
    option = config.option
    base = config.invocation_params.dir
    changes = {
        "parallel": option.chainsaw_parallel,
        "fail_fast": option.chainsaw_fail_fast,
        "skip_delete": option.chainsaw_skip_delete,
        "full_name": option.chainsaw_full_name,
        "namespace": option.chainsaw_namespace,
        "test_file": option.chainsaw_test_file,
        "include_regex": option.chainsaw_include_test_regex,
        "exclude_regex": option.chainsaw_exclude_test_regex,
        "repeat_count": option.chainsaw_repeat_count,
    }
    kubeconfig = option.chainsaw_kubeconfig or _text(getattr(option, "kubeconfig", None))
    return Choices(
        directory=base,
        configuration=base / option.chainsaw_config if option.chainsaw_config else None,
        changes={name: value for name, value in changes.items() if value is not None},
        kubeconfig=base / Path(kubeconfig).expanduser() if kubeconfig else None,
        overrides=Overrides(context=option.chainsaw_kube_context or ""),
        no_cluster=bool(option.chainsaw_no_cluster),
        remote_files=bool(option.chainsaw_allow_remote_files),
        selectors=tuple(option.chainsaw_selector),
        shard_index=option.chainsaw_shard_index or 0,
        shard_count=option.chainsaw_shard_count or 0,
        values_files=tuple(base / name for name in option.chainsaw_values),
        set_values=tuple(option.chainsaw_set),
        set_strings=tuple(option.chainsaw_set_string),
    )


def _text(value: object) -> str:
    """Return the value of an option that is the project's own, where it is a text."""
    return value if isinstance(value, str) else ""


class Guest:
    """State and hooks of such a session; the part of `Verification` that needs no platform."""

    def __init__(self, config: pytest.Config, choices: Choices) -> None:
        """Read what is needed to collect.

        Raises:
            ConfigurationError: Something that the choices name cannot be used.
        """
        self.config = config
        self.chainsaw = Session(choices, config.rootpath)
        self.recorder = EventRecorder(EventLog(None, Masking()))
        self.unfinished_reason = ""
        self.cancelled: list[str] = []
        self.runs: dict[str, CheckRun] = {}
        self.attempts: dict[str, int] = {}
        option = config.option
        self.settings = Settings(
            run_id=f"chainsaw-{secrets.token_hex(4)}",
            state_dir=Path(),
            artifacts_dir=Path(),
            wait_limit=option.chainsaw_wait_limit,
            cleanup_limit=option.chainsaw_cleanup_limit or _LONGEST_CLEANUP,
            parallel=self.chainsaw.parallel,
            reruns=getattr(option, "reruns", 0) or 0,
            engine=option.chainsaw_engine,
        )
        self._platform: Platform | None = None
        self._reached: asyncio.Task[None] | None = None
        self._told_by = ""

    @property
    def overrides(self) -> Overrides:
        """What goes before the kubeconfig."""
        return self.chainsaw.choices.overrides

    @property
    def platform(self) -> Platform:
        """A platform that is nothing but the cluster; without one where no kubeconfig is found."""
        if self._platform is None:
            clusters = {}
            if not self.chainsaw.choices.no_cluster:
                try:
                    kubeconfig = self.chainsaw.choices.find_kubeconfig()
                except ProvingGroundError:
                    pass  # told by `reach`, once there is a test to tell it
                else:
                    clusters["default"] = Cluster(kubeconfig=str(kubeconfig))
            self._platform = Platform(
                run_id=self.settings.run_id,
                inventory="existing",
                clusters=clusters,
                capabilities=Capabilities(promised=["kubernetes"], present=["kubernetes"]),
                clock=Clock(started=dt.datetime.now(dt.UTC)),
            )
        return self._platform

    # Selection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the Chainsaw tests that options leave out."""
        from proving_ground.chainsaw.items import ChainsawItem  # noqa: PLC0415  # imports this module

        ours = [item for item in items if isinstance(item, ChainsawItem)]
        wanted = self.chainsaw.selected([item.test for item in ours])
        gone = {item for item, is_wanted in zip(ours, wanted, strict=True) if not is_wanted}
        if gone:
            items[:] = [item for item in items if item not in gone]
            self.config.hook.pytest_deselected(items=[item for item in ours if item in gone])

    # One check

    def new_run(self, item: pytest.Item) -> CheckRun:
        """Return the surroundings of an attempt at a test."""
        run = CheckRun(check_id=item.nodeid, platform=self.platform, settings=self.settings, recorder=self.recorder)
        self.runs[item.nodeid] = run
        return run

    def prepare(self, item: pytest.Item) -> None:
        """Nothing is promised here that could be absent."""

    async def reach(self, run: CheckRun) -> None:
        """Make sure that the cluster answers: the first test tells that it does not, the others are not started.

        Raises:
            ProvingGroundError: It does not answer, or there is none.
        """
        if self.chainsaw.choices.no_cluster:
            return
        if self._reached is None:
            self._reached = asyncio.get_running_loop().create_task(self._ask(run))
        try:
            await asyncio.shield(self._reached)
        except ProvingGroundError:
            if self._told_by in {"", run.check_id}:
                self._told_by = run.check_id
                raise
            skip(NOT_STARTED, f"no cluster, see {self._told_by}")

    async def _ask(self, run: CheckRun) -> None:
        self.chainsaw.choices.find_kubeconfig()
        await (await run.cluster()).version()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember which Chainsaw tests could not be judged, rather than failed."""
        report = yield
        if isinstance(item, ConcurrentItem) and call.excinfo is not None:
            error = call.excinfo.value
            if isinstance(error, ProvingGroundError):
                setattr(report, ERROR, "configuration" if isinstance(error, ConfigurationError) else "infrastructure")
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show those as errors rather than as failures."""
        if report.when == "call" and report.failed and hasattr(report, ERROR):
            return "error", "E", "ERROR"
        return None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Forget an attempt that was told."""
        self.runs.pop(nodeid, None)

    # The session

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say what did not get its turn, and what could not be torn down."""
        if self.cancelled:
            terminalreporter.write_line(f"cancelled before a verdict: {', '.join(self.cancelled)}")
