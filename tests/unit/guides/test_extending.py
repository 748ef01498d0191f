"""What the guide shows of the examples is what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "extending.md"
TEXT = GUIDE.read_text(encoding="utf-8")
# A block that shows a file stands below a line with the file's link.
SHOWN = re.findall(r"^\[`([^`]+)`\]\((examples/[^)]+)\):\n\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = sorted(path for path in (GUIDE.parent / "examples").rglob("*") if path.is_file() and path.suffix != ".pyc")


@pytest.mark.parametrize(("name", "link", "block"), SHOWN, ids=[link for _, link, _ in SHOWN])
def test_a_block_that_shows_a_file_equals_it(name: str, link: str, block: str) -> None:
    assert (GUIDE.parent / link).read_text(encoding="utf-8") == block
    assert link.endswith(f"/{name}")


def test_every_block_but_commands_shows_a_file() -> None:
    assert len(re.findall(r"^```(?!sh$)\w+$", TEXT, re.MULTILINE)) == len(SHOWN) > 0


def test_every_file_of_the_examples_is_linked() -> None:
    texts = [page.read_text(encoding="utf-8") for page in GUIDE.parent.glob("*.md")]
    links = [link for text in texts for link in re.findall(r"\]\((examples/[^)#]+)\)", text)]
    linked = {(GUIDE.parent / link).resolve() for link in links}
    assert [str(path) for path in FILES if path.resolve() not in linked] == []


@pytest.mark.parametrize("section", ["A suite", "A role", "A stage", "A system"])
def test_there_is_a_section_that_other_pages_link_to(section: str) -> None:
    assert f"\n## {section}\n" in TEXT
