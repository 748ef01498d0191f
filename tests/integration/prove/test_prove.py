"""The whole of prove, on a project with a suite that needs no cluster."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import pytest

from proving_ground import cli

CHECKS = """
    import pytest
    pytestmark = pytest.mark.nightly

    async def test_right(check):
        assert check.settings.fault != "wrong"
        assert check.settings.wait_limit == 10

    async def test_fresh(check):
        assert check.settings.fault not in ("stale", "wrong")

    @pytest.mark.needs_moon
    async def test_never_selected(): pass
"""
SUITE = """
    name: probe
    description: A probe.
    faults:
      wrong: {description: d, must_fail: [probe/right], may_be_blocked: [probe/fresh]}
      stale: {description: d, must_fail: ["probe/fr*"]}
"""


class Site:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "playbooks").mkdir()
        (root / "stages.yml").write_text("stages: {}")
        self.platform = root / "platform.json"
        self.platform.write_text(
            json.dumps({"run_id": "r1", "inventory": "sim", "clock": {"started": "2026-01-01T00:00:00Z"}})
        )
        self.suite()

    def suite(self, checks: str = CHECKS, suite: str = SUITE, name: str = "probe") -> None:
        folder = self.root / "tests" / "suites" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "suite.yml").write_text(textwrap.dedent(suite))
        (folder / f"test_{name}.py").write_text(textwrap.dedent(checks))

    def prove(self, *arguments: str) -> int:
        shutil.rmtree(self.root / "artifacts", ignore_errors=True)
        return cli.main(["prove", f"--platform={self.platform}", "--run-id=r1", *arguments])

    @property
    def report(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.root / "artifacts/r1/prove.json").read_text())
        return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Site(tmp_path)


def test_a_suite_whose_checks_can_all_fail_is_proved(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.prove() == 0
    assert site.report["problems"] == []
    assert "ok wrong -> fresh, right" in capsys.readouterr().out
    assert "| stale | fresh |" in (site.root / "artifacts/r1/prove.md").read_text()


def test_a_suite_that_cannot_be_collected_is_not_judged(site: Site) -> None:
    site.suite(checks="import nothing_of_this_name")
    assert site.prove("--fault=stale") == 2
    assert "No module named 'nothing_of_this_name'" in (site.root / "artifacts/r1/prove.md").read_text()
    site.suite(checks="async def test_unmarked(): pass")
    assert site.prove("--fault=stale") == 3


def test_an_infrastructure_error_ends_in_two(site: Site) -> None:
    site.suite(
        checks=CHECKS
        + """
    async def test_gone(check):
        from proving_ground.errors import InfrastructureError
        raise InfrastructureError("the cluster is gone")
    """
    )
    assert site.prove("--fault=stale") == 2


@pytest.mark.parametrize("arguments", [["--only=prob"], ["--fault=unheard-of"]])
def test_what_does_not_exist_is_a_matter_of_configuration(site: Site, arguments: list[str]) -> None:
    assert site.prove(*arguments) == 3


WEEKLY = """
    import pytest

    @pytest.mark.nightly
    async def test_right(check):
        assert not check.settings.fault

    @pytest.mark.weekly
    async def test_takes_long(): pass
"""


def test_checks_that_the_marks_of_the_proof_leave_out_need_no_fault(site: Site) -> None:
    suite = """
    name: probe
    description: A probe.
    faults:
      wrong: {description: d, must_fail: [probe/right], may_be_blocked: [probe/takes-long]}
    """
    site.suite(WEEKLY, suite)
    assert site.prove() == 1
    assert site.report["problems"] == ["probe: no fault makes probe/takes-long fail"]
    site.suite(WEEKLY, f"{suite.rstrip()}\n    prove: {{marks: not weekly}}\n")
    assert site.prove() == 0
    assert site.report["problems"] == []
