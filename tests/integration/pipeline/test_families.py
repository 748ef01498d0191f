from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import TinyProject

CHECK = """
import pytest

@pytest.mark.nightly
async def test_uses_what_the_family_shares(shared):
    assert shared == "shared"
"""


def test_suites_of_a_family_share_its_conftest_and_run_by_their_own_names(project: TinyProject) -> None:
    family = project.root / "tests/suites/family"
    for name in ("one", "two"):
        (family / name).mkdir(parents=True)
        (family / name / "suite.yml").write_text(f"name: {name}\ndescription: d\n")
        (family / name / "test_it.py").write_text(CHECK)
    (family / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef shared():\n    return 'shared'\n")
    done = project.verify("--only", "one", "--only", "two")
    assert done.returncode == 0, done.stdout
    assert {test["id"]: test["status"] for test in project.results()["tests"]} == {
        "one/uses-what-the-family-shares": "passed",
        "two/uses-what-the-family-shares": "passed",
    }
