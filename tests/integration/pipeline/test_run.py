from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import TinyProject

WHOLE = ["validate", "create", "provision", "deploy", "collect", "destroy"]


def test_a_run_goes_through_all_phases_and_leaves_only_artifacts(project: TinyProject) -> None:
    done = project.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.journal == WHOLE
    assert project.left == []
    files = {path.name for path in (project.root / "artifacts/r1").iterdir()}
    assert {
        "run.json",
        "platform.json",
        "results.json",
        "junit.xml",
        "ctrf.json",
        "summary.md",
        "report.html",
        "timeline.jsonl",
        "phases",
        "diagnostics",
    } <= files
    assert [test["id"] for test in project.results()["tests"]] == ["tiny/passes", "tiny/is-nightly"]


def test_a_stage_selects_by_its_marks_and_lists_what_it_left_out(project: TinyProject) -> None:
    assert project.verify(stage="pre_merge").returncode == 0
    results = project.results()
    assert [test["id"] for test in results["tests"]] == ["tiny/passes"]
    assert [entry["id"] for entry in results["not_selected"]] == ["tiny/is-nightly"]


def test_a_failed_check_ends_with_one_and_still_destroys(project: TinyProject) -> None:
    project.checks("import pytest\n@pytest.mark.nightly\nasync def test_breaks():\n    assert 1 == 2\n")
    done = project.run()
    assert done.returncode == 1, done.stdout + done.stderr
    assert project.journal == WHOLE
    assert "tiny/breaks" in project.results()["verdict"]["cause"]


@pytest.mark.parametrize(("phase", "code"), [("validate", 3), ("provision", 2), ("destroy", 2)])
def test_a_phase_that_fails_is_the_cause_and_destroy_still_runs(project: TinyProject, phase: str, code: int) -> None:
    project.fail_in(phase)
    done = project.run()
    assert done.returncode == code, done.stdout + done.stderr
    assert f"the {phase} is broken" in project.results()["verdict"]["cause"]
    assert project.journal[-1] == "destroy"


@pytest.mark.parametrize("phase", ["validate", "deploy"])
def test_an_interrupt_in_a_phase_destroys_and_ends_with_130(project: TinyProject, phase: str) -> None:
    marker = project.hang_in(phase)
    process = project.start()
    project.wait_for(marker, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert project.journal[-1] == "destroy"
    assert project.left == []
    assert project.results()["verdict"]["outcome"] == "interrupted"
    assert running(str(marker)) == []


def test_an_interrupt_in_a_check_cleans_the_check_up_and_ends_with_130(project: TinyProject) -> None:
    marker = project.root / "under-way"
    project.checks(
        "import asyncio, pathlib, pytest\n@pytest.mark.nightly\nasync def test_hangs():\n"
        f"    here = pathlib.Path({str(project.root)!r})\n"
        "    try:\n        (here / 'under-way').touch()\n        await asyncio.Event().wait()\n"
        "    finally:\n        (here / 'cleaned-up').touch()\n"
    )
    process = project.start()
    project.wait_for(marker, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert (project.root / "cleaned-up").exists()
    assert project.journal[-1] == "destroy"
    (test,) = project.results()["tests"]
    assert test["status"] == "error"


def test_a_budget_that_runs_out_ends_with_two_and_destroys(project: TinyProject) -> None:
    project.hang_in("provision")
    # Enough to reach provision on a machine that is busy, too.
    done = project.run("--budget", "30s")
    assert done.returncode == 2, done.stdout
    assert "budget ran out in provision" in project.results()["verdict"]["cause"]
    assert project.journal[-1] == "destroy"


def test_a_killed_run_is_removed_by_the_next(project: TinyProject) -> None:
    marker = project.hang_in("deploy")
    process = project.start()
    project.wait_for(marker, process)
    process.kill()
    process.communicate(timeout=60)
    assert project.left == ["r1"]
    project.playbook("deploy")
    done = project.run("--run-id", "r2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "removed what run r1 had left" in done.stdout
    assert project.left == []
    assert project.journal.count("destroy") == 2


def test_a_kept_run_stays_until_it_is_cleaned(project: TinyProject) -> None:
    assert project.run("--keep").returncode == 0
    assert project.left == ["r1"]
    assert "destroy" not in project.journal
    clean = [*project.command()[:3], "clean", "r1"]
    subprocess.run(clean, cwd=project.root, env=project.environment, check=True, timeout=60)
    assert project.left == []
    assert project.journal[-1] == "destroy"


def test_a_given_platform_is_verified_and_neither_made_nor_destroyed(project: TinyProject) -> None:
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.journal == []


def test_a_broken_given_platform_is_a_configuration_error(project: TinyProject) -> None:
    platform = project.root / "platform.json"
    platform.write_text('{"run_id": 7}')
    assert project.run("--platform", str(platform)).returncode == 3


def test_a_suite_without_a_check_of_the_stage_is_a_configuration_error(project: TinyProject) -> None:
    project.checks("import pytest\n@pytest.mark.weekly\nasync def test_later():\n    assert True\n")
    assert project.verify().returncode == 3


def test_a_suite_that_cannot_be_imported_is_an_error_that_names_it(project: TinyProject) -> None:
    project.checks("import nothing_of_that_name\n")
    done = project.verify()
    assert done.returncode in {2, 3}, done.stdout
    assert "nothing_of_that_name" in project.results()["verdict"]["cause"]


def test_a_suite_whose_process_dies_makes_its_checks_errors(project: TinyProject) -> None:
    project.checks("import os, pytest\n@pytest.mark.nightly\nasync def test_dies():\n    os._exit(0)\n")
    assert project.verify().returncode == 2
    (test,) = project.results()["tests"]
    assert test["status"] == "error"


def test_two_runs_of_one_name_do_not_touch_each_other(project: TinyProject) -> None:
    assert project.verify().returncode == 0
    before = project.results()
    assert project.verify().returncode == 3
    assert project.results() == before


def test_an_inventory_that_is_not_yaml_is_a_configuration_error(project: TinyProject) -> None:
    (project.root / "inventories/tiny/hosts.yml").write_text("all: [broken\n")
    done = project.run()
    assert done.returncode == 3, done.stdout


def test_secrets_of_the_state_directory_never_reach_the_artifacts(project: TinyProject) -> None:
    project.playbook(
        "provision",
        """
    - name: Write a secret in private
      ansible.builtin.copy:
        dest: "{{ proving_ground_state_dir }}/values.yaml"
        mode: "0600"
        content: "hfToken: hf_verysecretvalue"
    - name: Write it where it does not belong
      ansible.builtin.copy:
        dest: "{{ proving_ground_artifacts_dir }}/diagnostics/leak.log"
        mode: "0644"
        content: "token hf_verysecretvalue"
    """,
    )
    project.checks(
        "import pytest\n@pytest.mark.nightly\nasync def test_leaks():\n    assert 'hf_verysecretvalue' == ''\n"
    )
    assert project.run().returncode == 1
    for path in (project.root / "artifacts").rglob("*"):
        assert not path.is_file() or b"hf_verysecretvalue" not in path.read_bytes(), path


def test_an_artifacts_directory_that_cannot_be_made_ends_with_two(project: TinyProject) -> None:
    (project.root / "artifacts").write_text("a file")
    done = project.run()
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert project.left == []


def test_a_run_whose_reader_goes_away_goes_on_and_destroys(project: TinyProject) -> None:
    marker = project.hang_in("deploy")
    process = project.start()
    project.wait_for(marker, process)
    assert process.stdout is not None
    process.stdout.close()
    project.release(marker)
    assert process.wait(60) == 0
    assert project.journal[-1] == "destroy"
    assert project.results()["verdict"]["outcome"] == "passed"
    assert project.left == []


def running(text: str) -> list[str]:
    done = subprocess.run(["ps", "axo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if text in line]


def test_a_suite_without_a_wanted_name_is_left_out_when_another_has_one(project: TinyProject) -> None:
    (project.root / "tests/suites/other").mkdir()
    (project.root / "tests/suites/other/suite.yml").write_text("name: other\ndescription: another\n")
    (project.root / "tests/suites/other/test_other.py").write_text(
        "import pytest\n@pytest.mark.nightly\nasync def test_elsewhere():\n    assert True\n"
    )
    done = project.verify("-k", "elsewhere")
    assert done.returncode == 0, done.stdout
    assert project.results()["suites_left_out"] == {"tiny": "no check matches -k 'elsewhere'"}


def test_an_expression_that_no_check_matches_is_a_configuration_error(project: TinyProject) -> None:
    done = project.verify("-k", "nothing_of_that_name")
    assert done.returncode == 3, done.stdout
    assert "no check matches -k 'nothing_of_that_name'" in done.stdout
