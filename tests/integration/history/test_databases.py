"""The same of a history in a file and in PostgreSQL."""

from __future__ import annotations

import dataclasses
import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from proving_ground.contracts.gates import Gates
from proving_ground.errors import ConfigurationError
from proving_ground.history import Fingerprint, Measurement, Record
from proving_ground.history.exporting import json_lines
from proving_ground.history.gating import judge
from proving_ground.history.location import location_of
from proving_ground.history.schema import LATEST, MIGRATIONS, RUNS, VERSIONS, migrate
from proving_ground.history.store import Store, find_run
from proving_ground.history.stored import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = dt.datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=dt.UTC)
HARDWARE = Fingerprint("CPU", 8, 64, ("H200",), 1)


def record(number: int, *values: float, **changes: Any) -> Record:
    content: dict[str, Any] = {
        "run_id": f"run-{number}",
        "time": BEGIN + dt.timedelta(hours=number),
        "commit": "abc",
        "system": "inference",
        "system_version": "1",
        "fingerprint": HARDWARE,
        "configuration_hash": "cfg",
        "measurements": (Measurement("load", "chat", "ttft_ms", "ms", "lower", values or (100.0,)),),
    }
    return Record(**content | changes)


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    with Store.open(location) as opened:
        yield opened


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    whole = record(1, 1.5, 0.1, 1e-9, labels=("main", "release"), valid=False, problem="it is slöw\n2nd line")
    store.add(whole)
    assert list(store.records(store.runs())) == [whole]


def test_runs_come_the_latest_first_and_as_many_as_wanted(store: Store) -> None:
    store.add(record(number) for number in (3, 1, 2))
    assert [run.run_id for run in store.runs(limit=2)] == ["run-3", "run-2"]
    assert store.count() == 3


def test_runs_are_found_by_everything_that_is_asked_for(store: Store) -> None:
    store.add(
        [
            record(1, labels=("main",)),
            record(2, labels=("maintenance",), system_version="2"),
            record(3, system="dynamo"),
            record(4, valid=False, problem="x"),
            record(5, configuration_hash="other"),
        ]
    )
    like = find_run(store, "run-1")[0]

    def found(wanted: Wanted) -> list[str]:
        return sorted(run.run_id for run in store.runs(wanted))

    assert found(Wanted(label="main")) == ["run-1"]
    assert found(Wanted(system="dynamo")) == ["run-3"]
    assert found(Wanted(like=like, valid=True)) == ["run-1", "run-2"]
    assert found(Wanted(like=like, system_version_not="1")) == ["run-2"]
    assert found(Wanted(before=BEGIN + dt.timedelta(hours=2))) == ["run-1"]
    store.note_verdict([like], "regression")
    assert found(Wanted(like=like, valid=True, verdicts_not=("regression",))) == ["run-2"]


def test_checks_of_one_run_add_to_it_and_replace_what_they_measured_again(store: Store) -> None:
    other = Measurement("load", "chat", "rps", "1/s", "higher", (9.0,))
    store.add(record(1, 100.0))
    store.add(record(1, measurements=(other,)))
    store.add(record(1, 120.0, labels=("main",)))
    assert store.count() == 1
    run = store.runs()[0]
    assert run.labels == ("main",)
    assert {s.metric: summary.median for s, summary in store.summaries(run).items()} == {"ttft_ms": 120.0, "rps": 9.0}


def test_what_one_check_of_a_run_could_not_trust_stays_so(store: Store) -> None:
    store.add(record(1, valid=False, problem="client lagged"))
    store.add(record(1))
    assert (store.runs()[0].valid, store.runs()[0].problem) == (False, "client lagged")


def test_of_several_records_all_are_written_or_none(store: Store) -> None:
    def failing() -> Iterator[Record]:
        yield record(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add(failing())
    assert store.count() == 0


def test_statistics_are_those_of_the_values(store: Store) -> None:
    store.add(record(1, *(float(number) for number in range(1, 101))))
    runs = store.runs()
    found = {name: next(iter(store.statistics(runs, name).values()))[runs[0].row] for name in ("median", "p99", "mean")}
    assert found == pytest.approx({"median": 50.5, "p99": 99.01, "mean": 50.5})


def test_a_trend_has_valid_runs_that_can_be_compared_the_oldest_first(store: Store) -> None:
    store.add([record(2, 2.0), record(1, 1.0), record(3, 3.0, valid=False), record(4, 4.0, system="dynamo")])
    run = find_run(store, "run-1")[0]
    series = store.series()[0]
    assert [value for _, value in store.trend(series, run)] == [1.0, 2.0]
    assert [value for _, value in store.trend(series, run, limit=1)] == [2.0]


def test_a_named_baseline_is_replaced_and_forgotten(store: Store) -> None:
    store.add([record(1), record(2)])
    store.pin("good", find_run(store, "run-1"))
    store.pin("good", find_run(store, "run-2"))
    assert {name: [run.run_id for run in runs] for name, runs in store.baselines().items()} == {"good": ["run-2"]}
    assert [run.run_id for run in store.runs(Wanted(baseline="good"))] == ["run-2"]
    store.pin("good", [])
    assert store.baselines() == {}


def test_a_label_with_a_wildcard_is_only_itself(store: Store) -> None:
    store.add([record(1, labels=("a_c",)), record(2, labels=("abc",))])
    assert [run.run_id for run in store.runs(Wanted(label="a_c"))] == ["run-1"]


def test_gates_decide_by_it(store: Store) -> None:
    gate = {"kind": "relative", "metric": "load/*/*", "samples": {"baseline": 3, "candidate": 1}}
    gates = Gates.model_validate({"gates": [gate]}).gates
    outcomes = []
    for number, value in enumerate((100.0, 101.0, 99.0, 100.5, 130.0)):
        store.add(record(number, value))
        outcomes.append(judge(store, store.runs(limit=1), gates).outcome)
    assert outcomes == ["insufficient history"] * 3 + ["pass", "regression"]


def test_a_history_stays_when_it_is_closed(location: str) -> None:
    with Store.open(location) as store:
        store.add(record(1))
    with Store.open(location) as store:
        assert [run.run_id for run in store.runs()] == ["run-1"]


def engine_of(location: str) -> sa.Engine:
    return sa.create_engine(location_of(location))


def test_an_older_history_is_migrated_and_keeps_its_runs(location: str) -> None:
    engine = engine_of(location)
    old = record(1)
    with engine.begin() as connection:
        migrate(connection, "test", MIGRATIONS[:1])
        values = {
            "run_id": old.run_id,
            "time": old.time.timestamp(),
            "commit_id": old.commit,
            "system": old.system,
            "system_version": old.system_version,
            "fingerprint": HARDWARE.key,
            "hardware": '{"cpu": "CPU", "cores": 8, "memory_gib": 64, "gpus": ["H200"], "hosts": 1}',
            "configuration": "cfg",
            "valid": True,
            "problem": "",
            "labels": "",
        }
        connection.execute(sa.insert(RUNS).values(**values))
    engine.dispose()
    with Store.open(location) as store:
        run = store.runs()[0]
        assert (run.run_id, run.verdict, run.time, run.fingerprint) == ("run-1", "", old.time, HARDWARE)
        store.pin("good", [run])
        assert list(store.baselines()) == ["good"]
    engine = engine_of(location)
    with engine.connect() as connection:
        assert list(connection.execute(sa.select(VERSIONS.c.version)).scalars()) == list(range(1, LATEST + 1))
    engine.dispose()


def test_a_history_of_a_later_program_is_refused_and_unchanged(location: str) -> None:
    with Store.open(location) as store:
        store.add(record(1))
    engine = engine_of(location)
    with engine.begin() as connection:
        connection.execute(sa.insert(VERSIONS).values(version=LATEST + 1))
    with pytest.raises(ConfigurationError, match="nothing was changed"):
        Store.open(location)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(RUNS)).scalar() == 1
    engine.dispose()


def test_a_database_of_something_else_is_refused(location: str) -> None:
    engine = engine_of(location)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (marathon TEXT)")
    engine.dispose()
    with pytest.raises(ConfigurationError, match="something else"):
        Store.open(location)


WRITER = """
import dataclasses, datetime, sys
from proving_ground.history import Fingerprint, Measurement, Record
from proving_ground.history.store import Store
location, writer, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    measurements = tuple(
        Measurement("load", f"s{number % 7}", f"m{n}_ms", "ms", "lower", (1.0 + n,)) for n in range(5)
    )
    time = datetime.datetime.now(datetime.UTC)
    with Store.open(location) as store:
        store.add(Record(f"{writer}-{number}", time, "", "inference", "", Fingerprint(), "cfg", measurements))
        store.add(Record("common", time, "", "inference", "", Fingerprint(), f"cfg{number}", measurements))
"""


def test_several_processes_may_make_it_and_write_at_once(location: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, location, f"w{number}", "8"], stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    told = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, "".join(told)
    with Store.open(location) as store:
        assert store.count() == 4 * 8 + 8
        assert len(store.series()) == 5 * 7
        assert len(store.runs(Wanted(run_id="common"))) == 8
        assert all(len(store.summaries(run)) == 5 for run in store.runs())


def test_an_export_of_one_goes_into_the_other(store: Store, tmp_path: Any) -> None:
    store.add(record(number, float(number + 1)) for number in range(5))
    lines = list(json_lines(store.records(store.runs())))
    with Store.open(str(tmp_path / "copy.sqlite")) as copy:
        copy.add(dataclasses.replace(each) for each in store.records(store.runs()))
        assert list(json_lines(copy.records(copy.runs()))) == lines
