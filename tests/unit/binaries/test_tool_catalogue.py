from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import (
    Host,
    Tool,
    ToolError,
    in_words,
    load,
    same_version,
    select,
    version_in,
)

FILES = Path(__file__).parents[3] / "roles" / "tool_binaries" / "files"
TOOL: dict[str, Any] = {"version": "v1.2.3", "manifest": "m", "package": "example.org/x", "binary": "x"}
WITH_A_MAIN_OF_OURS = {"coredns": ("github.com/coredns/coredns", "coredns/main.go")}


def write(path: Path, **tools: Any) -> Path:
    file = path / "tools.json"
    file.write_text(json.dumps({"tools": tools}))
    return file


def test_the_shipped_catalogue_has_every_tool_of_a_control_plane_and_of_a_node() -> None:
    assert set(load(FILES / "tools.json")) == {
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kubeadm", "kube-proxy",
        "etcd", "coredns", "kwok",
    }  # fmt: skip


def test_every_shipped_manifest_names_the_packages_and_versions_of_its_tools() -> None:
    pinned = list(load(FILES / "tools.json").values())
    for tool in [each.at(version) for each in pinned for version in each.buildable]:
        go_mod = (FILES / "go" / tool.manifest / "go.mod").read_text()
        module = tool.package.split("/cmd/")[0]
        if module.startswith("proving.ground/"):
            module, main = WITH_A_MAIN_OF_OURS[tool.name]
            assert f'"{module}/coremain"' in (FILES / "go" / tool.manifest / main).read_text()
        else:
            assert tool.package in go_mod.split("require (")[0], f"{tool.name} is no tool of its go.mod"
        assert re.search(rf"^(\t|require ){re.escape(f'{module} {tool.version}')}\b", go_mod, re.MULTILINE)
        assert f"{module} {tool.version} h1:" in (FILES / "go" / tool.manifest / "go.sum").read_text()


def test_every_shipped_manifest_builds_a_version_of_some_tool() -> None:
    tools = load(FILES / "tools.json").values()
    used = {tool.at(version).manifest for tool in tools for version in tool.buildable}
    assert {path.parent.name for path in (FILES / "go").glob("*/go.mod")} == used


def test_every_module_that_belongs_to_kubernetes_is_pinned_to_its_release() -> None:
    kubelet = load(FILES / "tools.json")["kubelet"]
    for tool in [kubelet.at(version) for version in kubelet.buildable]:
        go_mod = (FILES / "go" / tool.manifest / "go.mod").read_text()
        placeless = {line.split()[0] for line in go_mod.splitlines() if " v0.0.0 " in f"{line} "}
        release = tool.version.replace("v1.", "v0.", 1)
        assert placeless
        assert {name for name in placeless if f"{name} => {name} {release}\n" not in go_mod} == set()


def test_the_kubernetes_of_the_minor_version_before_can_be_built_whole() -> None:
    tools = [tool for tool in load(FILES / "tools.json").values() if tool.package.startswith("k8s.io/kubernetes/")]
    minors = {tool.name: [version.split(".")[1] for version in tool.buildable] for tool in tools}
    assert set(map(tuple, minors.values())) == {("36", "35")}


def test_urls_are_filled_in_for_the_version_and_the_machine() -> None:
    tool = load(FILES / "tools.json")["etcd"]
    assert tool.download is not None
    assert tool.expand(tool.download.url, Host("linux", "arm64")).endswith("/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz")


def test_a_release_file_may_be_named_by_the_version_without_its_v() -> None:
    tool = load(FILES / "tools.json")["coredns"]
    assert tool.download is not None
    for url in (tool.download.url, tool.download.checksum_url.removesuffix(".sha256")):
        assert tool.expand(url, Host("linux", "arm64")).endswith("/v1.14.2/coredns_1.14.2_linux_arm64.tgz")


@pytest.mark.parametrize(("version", "minor"), [("v1.36.3", "36"), ("v1.35.8", "35"), ("v1.35.4", "35")])
def test_what_is_stamped_into_a_binary_follows_the_version(version: str, minor: str) -> None:
    tool = load(FILES / "tools.json")["kubelet"].at(version)
    stamped = tool.expand(tool.ldflags, Host("linux", "amd64"))
    assert [word.split("version.git")[1] for word in stamped.split() if "=" in word] == [
        f"Version={version}", "Major=1", f"Minor={minor}",
    ]  # fmt: skip


@pytest.mark.parametrize(("version", "expected"), [("v2", ("2", "")), ("1.2.3-rc.1", ("1", "2"))])
def test_major_and_minor_are_the_first_two_numbers_of_any_version(version: str, expected: tuple[str, str]) -> None:
    found = Tool("x", version, "m", version, "example.org/x", "x", ()).placeholders(Host("linux", "amd64"))
    assert (found["major"], found["minor"]) == expected


def test_tools_come_in_the_order_asked_for_and_once() -> None:
    catalogue = load(FILES / "tools.json")
    assert [tool.name for tool in select(catalogue, ["kwok", "etcd", "kwok"], {})] == ["kwok", "etcd"]


def test_another_version_replaces_the_pinned_one_but_not_what_the_manifest_builds() -> None:
    [tool] = select(load(FILES / "tools.json"), ["kubectl"], {"kubectl": "v1.35.4"})
    assert (tool.version, tool.manifest_version) == ("v1.35.4", "v1.36.3")


def test_another_version_with_a_manifest_of_its_own_is_built_from_that() -> None:
    [tool] = select(load(FILES / "tools.json"), ["kubectl"], {"kubectl": "v1.35.8"})
    assert (tool.version, tool.manifest, tool.manifest_version) == ("v1.35.8", "kubernetes-1.35", "v1.35.8")


def test_the_pinned_version_may_be_asked_for_by_its_number() -> None:
    [tool] = select(load(FILES / "tools.json"), ["kubectl"], {"kubectl": "v1.36.3"})
    assert (tool.manifest, tool.buildable) == ("kubernetes", ("v1.36.3", "v1.35.8"))


@pytest.mark.parametrize(
    "others",
    [
        [],
        {"latest": "m-old"},
        {"v1.0.0": "../m"},
        {"v1.0.0": None},
    ],
    ids=str,
)
def test_badly_described_other_versions_are_refused(tmp_path: Path, others: Any) -> None:
    (tmp_path / "tools.json").write_text(json.dumps({"tools": {"x": TOOL | {"other_versions": others}}}))
    with pytest.raises(ToolError, match="tool 'x': expected an object of versions and their manifests in the field"):
        load(tmp_path / "tools.json")


def test_an_unknown_tool_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ToolError, match=r"unknown tool 'helmet' \(known: coredns, etcd, "):
        select(load(FILES / "tools.json"), ["etcd", "helmet"], {})


@pytest.mark.parametrize("version", ["", "latest", "v1.2/../../etc", "v1.2\n", 1.36])
def test_a_version_that_is_none_is_refused(version: Any) -> None:
    with pytest.raises(ToolError, match=r"version of kubectl: expected one such as v1\.36\.3"):
        select(load(FILES / "tools.json"), ["kubectl"], {"kubectl": version})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ('{"tools": {', "is not JSON"),
        ("[]", "expected an object 'tools'"),
        ('{"tools": []}', "expected an object 'tools'"),
        ('{"tools": {"x": 1}}', "tool 'x': expected an object"),
    ],
)
def test_a_broken_catalogue_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "tools.json").write_text(content)
    with pytest.raises(ToolError, match=message) as caught:
        load(tmp_path / "tools.json")
    assert str(tmp_path) in str(caught.value)


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"nowhere\.json: cannot read the catalogue"):
        load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "", "UPPER", "x\ny", "-x"])
def test_a_hostile_name_of_a_tool_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolError, match="a name is lower-case letters"):
        load(write(tmp_path, **{name: TOOL}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": ""}, "expected text in the field 'version'"),
        ({"version": "../x"}, "not a plain word"),
        ({"manifest": "../../m"}, "not a plain word"),
        ({"package": None}, "expected text in the field 'package'"),
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"version_command": "--version"}, "expected a list of words"),
        ({"download": {"url": "https://x"}}, "expected url, checksum_url"),
    ],
)
def test_a_badly_described_tool_is_refused_by_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        load(write(tmp_path, x={**TOOL, **change}))


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("Kubernetes v1.36.3\n", "1.36.3"),
        ("Client Version: v1.36.3\nKustomize Version: v5.8.1\n", "1.36.3"),
        ("etcd Version: 3.6.8\nGo Version: go1.26.8\n", "3.6.8"),
        ("CoreDNS-1.14.2\nlinux/amd64, go1.26.8, \n", "1.14.2"),
        ("kwok version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"),
        ("v1.37.0-alpha.1+abc", "1.37.0-alpha.1+abc"),
        ("usage: nothing here", ""),
        ("go1.26.8", ""),
        ("10.20", ""),
    ],
)
def test_the_version_is_read_from_what_a_program_prints(output: str, version: str) -> None:
    assert version_in(output) == version


def test_versions_are_equal_with_and_without_their_v_and_never_when_empty() -> None:
    assert same_version("1.36.3", "v1.36.3")
    assert not same_version("1.36.30", "v1.36.3")
    assert not same_version("", "")


def test_an_architecture_that_nobody_publishes_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(ToolError, match="pdp11"):
        Host.here()


def test_a_duration_is_said_in_whole_minutes() -> None:
    assert [in_words(seconds) for seconds in (5, 60, 61, 290)] == [
        "about a minute", "about a minute", "about 2 minutes", "about 5 minutes",
    ]  # fmt: skip
