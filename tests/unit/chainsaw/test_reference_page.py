"""docs/reference/chainsaw.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from proving_ground.chainsaw.functions import FUNCTIONS
from proving_ground.chainsaw.lookups import CLUSTER_FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs/reference/chainsaw.md").read_text(encoding="utf-8")


def test_the_page_lists_every_function_and_no_other() -> None:
    lists = PAGE.split("each with a case in")[1].split("`add`, `subtract`")[0]
    listed = {name for part in re.findall(r"`([a-z0-9_\s]+)`", lists) for name in part.split()}

    assert listed == {*FUNCTIONS, *CLUSTER_FUNCTIONS}


def test_the_tests_that_the_page_names_exist() -> None:
    for file, test in re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", PAGE):
        folder = Path(__file__).parent
        path = next((path for path in (folder / file, folder.parent / file) if path.is_file()), None)
        assert path, file
        assert not test or f"def {test}(" in path.read_text(encoding="utf-8"), test
