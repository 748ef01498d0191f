from __future__ import annotations

import datetime as dt

import pytest

from proving_ground.gpu import kernel_log, xids
from proving_ground.gpu.document import LARGEST, DocumentError

from .samples import document

EVENTS = kernel_log.parse(document("kernel.log"))


def test_every_line_of_trouble_is_read_and_no_other() -> None:
    assert [(event.label, event.bus, event.blame) for event in EVENTS] == [
        ("Xid 31", "0000:4e:00", "application"),
        ("Xid 79", "0000:4e:00", "hardware"),
        ("Xid 9999", "00000002:01:00.0", "hardware"),
        ("amdgpu", "0000:85:00.0", "hardware"),
        ("amdgpu", "0000:c3:00.0", "hardware"),
        ("amdgpu", "0000:c3:00.0", "hardware"),
        ("amdgpu", "0000:c3:00.0", "hardware"),
        ("amdgpu", "0000:c3:00.0", "application"),
        ("Xid 94", "0000:19:00", "hardware"),
    ]


def test_an_xid_is_told_with_cause_and_advice() -> None:
    fallen = EVENTS[1]
    assert (fallen.meaning, fallen.todo.split(";")[0]) == ("the GPU fell off the bus", "power-cycle the host")
    assert fallen.text.endswith("GPU has fallen off the bus.")
    assert fallen.time == dt.datetime(2025, 6, 2, 8, 11, 0, 250000, dt.UTC)


def test_an_xid_that_is_not_in_the_table_is_taken_for_the_hardwares_fault() -> None:
    assert xids.meaning(9999).blame == "hardware"
    assert "look it up" in xids.meaning(9999).todo


def test_counts_of_nothing_are_no_trouble() -> None:
    line = "amdgpu 0000:c3:00.0: amdgpu: 0 uncorrectable hardware errors detected in umc block"
    assert kernel_log.parse(line) == ()
    assert kernel_log.parse(line.replace(" 0 uncorrectable", " 2 uncorrectable"))[0].meaning.startswith("2 errors")


def test_only_events_of_the_window_count() -> None:
    since, until = dt.datetime(2025, 6, 2, 8, 11, tzinfo=dt.UTC), dt.datetime(2025, 6, 2, 8, 13, tzinfo=dt.UTC)
    inside = kernel_log.within(EVENTS, since, until)
    # A line without a time may be of any time.
    assert [event.label for event in inside] == ["Xid 79", "Xid 9999", "amdgpu", "Xid 94"]


def test_a_time_that_is_none_leaves_the_event_without_time() -> None:
    (event,) = kernel_log.parse("2025-99-99T08:00:00+0000 h kernel: NVRM: Xid (PCI:0000:01:00): 48, DBE")
    assert event.time is None


@pytest.mark.parametrize("content", ["", "\n\n", "nothing of interest", "NVRM: Xid (PCI:", "NVRM: Xid (PCI:zz): 79,"])
def test_a_log_without_trouble_tells_of_none(content: str) -> None:
    assert kernel_log.parse(content) == ()


def test_a_log_of_enormous_size_is_refused() -> None:
    with pytest.raises(DocumentError, match="expected a kernel log"):
        kernel_log.parse(" " * (LARGEST + 1))


def test_every_known_xid_says_what_to_do() -> None:
    assert [code for code, xid in xids.XIDS.items() if not (xid.meaning and xid.todo)] == []
    assert {xids.XIDS[code].blame for code in (48, 74, 79, 94, 95)} == {"hardware"}
    assert {xids.XIDS[code].blame for code in (13, 31, 43, 45)} == {"application"}
