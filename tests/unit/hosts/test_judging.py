"""Whether hosts are as declared and equal."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.hosts import judging
from proving_ground.hosts.declared import declared_of
from proving_ground.hosts.judging import Judged
from proving_ground.hosts.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Judge = Callable[[Sequence[Judged]], list[str]]

LIMITS = """> containerd.service
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 524288               files
Max locked memory         unlimited            unlimited            bytes
"""
ACTIVE = "Id=containerd.service\nActiveState=active\nSubState=running\nUnitFileState=enabled\nResult=success"
MOUNTS = "tmpfs / tmpfs rw 0 0\n/dev/sda1 /var/lib/with\\040blank ext4 rw,noatime 0 0\n/dev/sdb1 / ext4 rw 0 0"


def host(name: str = "gpu1", declared: dict[str, object] | None = None, **sections: str) -> Judged:
    return Judged(name, declared_of(name, declared or {}), Reading(sections))


def refusal(judge: Judge, *hosts: Judged) -> str:
    found = judge(hosts)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("judge", "section", "value"),
    [
        (judging.kernel, "kernel", "6.1.0-28-amd64"),
        (judging.operating_system, "os", "debian 13"),
        (judging.cgroup, "cgroup", "cgroup2fs"),
        (judging.mtu, "mtu", "eth0 1500"),
        (judging.versions, "versions", "containerd containerd github.com/containerd/containerd 1.7.24 abc"),
    ],
)
class TestEquality:
    """What has to be equal where nothing is declared."""

    def test_hosts_that_are_equal_pass(self, judge: Judge, section: str, value: str) -> None:
        assert judge([host("a", **{section: value}), host("b", **{section: value})]) == []

    def test_one_host_alone_passes(self, judge: Judge, section: str, value: str) -> None:
        assert judge([host("a", **{section: value})]) == []

    def test_the_one_that_differs_is_told_and_with_whom(self, judge: Judge, section: str, value: str) -> None:
        other = {"cgroup": "tmpfs"}.get(section, value.replace("1", "2"))
        hosts = [host("a", **{section: value}), host("b", **{section: other}), host("c", **{section: value})]

        message = refusal(judge, *hosts)

        assert message.startswith("b: ")
        assert " as on a, c, found " in message

    def test_one_that_says_nothing_differs(self, judge: Judge, section: str, value: str) -> None:
        hosts = [host("a", **{section: value}), host("b", **{section: value}), host("c", **{section: ""})]

        assert "found none" in refusal(judge, *hosts)


@pytest.mark.parametrize(
    ("judge", "declared", "section", "right", "wrong"),
    [
        (judging.kernel, {"kernel": "6.1.*"}, "kernel", "6.1.0-28-amd64", "6.12.1"),
        (judging.operating_system, {"os": "debian 1?"}, "os", "debian 13", "ubuntu 24.04"),
        (judging.cgroup, {"cgroup": "hybrid"}, "cgroup", "tmpfs\ncgroup2fs", "tmpfs"),
        (judging.mtu, {"mtu": 9000}, "mtu", "eth0 9000", "eth0 1500"),
        (judging.mtu, {}, "mtu", "eth0 9000", " "),
        (judging.versions, {"versions": {"kubelet": "v1.36.*"}}, "versions", "kubelet Kubernetes v1.36.3", "kubelet"),
        (judging.versions, {"versions": {"systemd": "257"}}, "versions", "systemd systemd 257 (257.1)", "systemd 25"),
        (judging.modules, {"modules": ["br-netfilter"]}, "modules", "br_netfilter", "netfilter"),
        (judging.sysctls, {"sysctls": {"net.x": 1}}, "sysctls", "net.x 1", "net.x 0"),
        (judging.sysctls, {"sysctls": {"net.x": "4 5"}}, "sysctls", "net.x 4\t5", "net.x"),
        (judging.swap, {}, "swaps", "", "/dev/sda2 partition 1 0 -2"),
        (judging.swap, {"swap": True}, "swaps", "/dev/sda2 partition 1 0 -2", None),
        (judging.limits, {"limits": {"containerd.service": {"nofile": 1024}}}, "limits", LIMITS, ""),
        (judging.limits, {"limits": {"containerd.service": {"memlock": "unlimited"}}}, "limits", LIMITS, None),
        (judging.limits, {"limits": {"containerd.service": {"nofile": 1025}}}, "limits", None, LIMITS),
        (judging.limits, {"limits": {"containerd.service": {"nproc": 1}}}, "limits", None, LIMITS),
        (judging.mounts, {"mounts": {"/var/lib/with blank": {"options": ["noatime"]}}}, "mounts", MOUNTS, ""),
        (judging.mounts, {"mounts": {"/": {"type": "ext4"}}}, "mounts", MOUNTS, "tmpfs / tmpfs rw 0 0"),
        (judging.mounts, {"mounts": {"/": {"options": ["ro"]}}}, "mounts", None, MOUNTS),
        (judging.free_space, {}, "free", "10 100 4096 5 100 /", "9 100 4096 5 100 /"),
        (judging.free_space, {}, "free", "10 100 4096 0 0 /", "10 100 4096 4 100 /"),
        (judging.free_space, {"free": {"/a b": {}}}, "free", "10 100 4096 5 100 /a b", "/a b"),
        (judging.free_space, {"free": {"/": {"bytes": 40961}}}, "free", None, "10 100 4096 5 100 /"),
        (judging.dns, {}, "dns", "gpu1 10.0.0.1", "gpu1 "),
        (judging.dns, {"dns": ["api"]}, "dns", "gpu1 10.0.0.1\napi 10.0.0.2", "gpu1 10.0.0.1"),
        (judging.dns, {}, "dns", None, ""),
        (judging.services, {"services": ["containerd"]}, "services", ACTIVE, ACTIVE.replace("=active", "=failed")),
        (
            judging.services,
            {"services": ["containerd.service"]},
            "services",
            ACTIVE,
            ACTIVE.replace("enabled", "masked"),
        ),
        (judging.services, {"services": []}, "services", "", None),
        (judging.failed_units, {}, "failed", "", "a.service loaded failed failed A"),
        (judging.failed_units, {"failed_units": ["a@*"]}, "failed", "a@1.service loaded failed failed A", None),
        (judging.out_of_memory, {}, "journal", "readable", "kernel: oom-kill:constraint=X\nreadable"),
        (judging.out_of_memory, {}, "journal", None, ""),
        (judging.disk_errors, {}, "journal", "kernel: oom-kill:constraint=X\nreadable", "I/O error, dev sda\nreadable"),
        (judging.disk_errors, {"journal": {"ignore": ["sda"]}}, "journal", "I/O error, dev sda\nreadable", None),
    ],
)
def test_what_is_declared_is_told_from_what_is_not(
    judge: Judge, declared: dict[str, object], section: str, right: str | None, wrong: str | None
) -> None:
    if right is not None:
        assert judge([host(declared=declared, **{section: right})]) == []
    if wrong is not None:
        message = refusal(judge, host(declared=declared, **{section: wrong}))
        assert message.startswith("gpu1: ")
        assert ": expected " in message
        assert ", found " in message
        assert message.endswith(")")


def test_hosts_of_which_different_kernels_are_declared_need_not_be_equal() -> None:
    hosts = [host("a", {"kernel": "5.*"}, kernel="5.15.0"), host("b", {"kernel": "6.*"}, kernel="6.1.0")]

    assert judging.kernel(hosts) == []


def test_a_service_that_is_not_installed_is_neither_active_nor_enabled() -> None:
    assert len(judging.services([host(declared={"services": ["kubelet"]}, services=ACTIVE)])) == 2


def clocked(told: str, synchronized: str = "yes", **declared: object) -> Judged:
    reading = Reading({"clock": told, "synchronized": synchronized}, asked=100.0, answered=100.4)
    return Judged("gpu1", declared_of("gpu1", declared), reading)


@pytest.mark.parametrize("told", ["99.1", "100.2", "101.3"])
def test_a_clock_within_the_bound_and_the_round_trip_is_right(told: str) -> None:
    assert judging.clock([clocked(told)]) == []


@pytest.mark.parametrize(("told", "off"), [("98.9", "1.100"), ("101.5", "1.100"), ("0", "100.000")])
def test_a_clock_beyond_them_is_told_with_its_distance(told: str, off: str) -> None:
    assert f"found {off} s off" in refusal(judging.clock, clocked(told))


@pytest.mark.parametrize("told", ["", "yesterday"])
def test_a_host_without_a_clock_is_told(told: str) -> None:
    assert "expected a time" in refusal(judging.clock, clocked(told))


@pytest.mark.parametrize("synchronized", ["no", ""])
def test_a_clock_must_follow_a_source_unless_the_host_shares_its_kernel(synchronized: str) -> None:
    assert "synchronised" in refusal(judging.clock, clocked("100.1", synchronized))
    assert judging.clock([clocked("100.1", synchronized, shares_kernel=True)]) == []


RECORDED = Path(__file__).parent / "recorded" / "certificate-2026-01-12.pem"
NOW = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def with_certificates(text: str, **declared: object) -> list[str]:
    return judging.certificates([host(declared=declared, certificates=text)], NOW)


def test_a_certificate_that_ends_soon_is_told_with_its_file() -> None:
    (message,) = with_certificates(f"> /pki/a.crt\n{RECORDED.read_text()}")

    assert message.startswith("gpu1: certificate /pki/a.crt (CN=kube-apiserver): expected valid for 30 days still")
    assert "found 9.5 days left" in message


def test_a_certificate_that_is_valid_for_long_enough_passes() -> None:
    assert with_certificates(f"> /pki/a.crt\n{RECORDED.read_text()}", certificates={"days": 9}) == []


def test_a_node_without_a_certificate_is_told() -> None:
    (message,) = with_certificates("")

    assert "expected some in /etc/kubernetes/pki/*.crt" in message


def test_a_host_without_a_kubelet_needs_no_certificate() -> None:
    assert with_certificates("", services=["ssh.service"]) == []


def test_a_certificate_that_cannot_be_read_is_told() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    (message,) = with_certificates(f"> /pki/a.crt\n{broken}")

    assert message.startswith("gpu1: /pki/a.crt: its certificate cannot be read")


def test_a_file_of_certificates_that_cannot_be_read_is_told() -> None:
    (message,) = with_certificates("> /pki/a.crt\nunreadable")

    assert message.startswith("gpu1: /pki/a.crt: expected a file that may be read")


def test_what_a_report_shows_of_the_hosts_names_each_kernel_once() -> None:
    shown = judging.properties([host("a", kernel="6.1", os="debian 13"), host("b", kernel="6.1", os="debian 12")])

    assert shown == {"kernels": "6.1", "operating_systems": "debian 12, debian 13"}
