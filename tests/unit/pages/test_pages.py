"""Generated pages are what they would be made to be now, and every link of the documentation leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from proving_ground.contracts.suite import Suite
from proving_ground.pages import pages, stale
from proving_ground.pages.markdown import cell, moved, table
from proving_ground.pages.roles import role_readme
from proving_ground.pages.suites import suite_page
from proving_ground.pipeline.project import FoundSuite, Project, suite_files

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/**/*.md")]
)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


@cache
def made() -> dict[Path, str]:
    return pages(Project.find(ROOT))


@cache
def prose(document: Path) -> str:
    """Return a document without its blocks of code."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


@cache
def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, by the rule of GitHub."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-{sum(known.startswith(slug) for known in found)}")
    return found


def broken(document: Path) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    out = []
    for link in _LINK.findall(_CODE.sub("", prose(document))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or ROOT not in (target, *target.parents):
            out.append(f"{link}: there is no such file")
        elif anchor and anchor not in anchors(target):
            out.append(f"{link}: the file has no such heading")
    return out


def test_the_committed_pages_are_not_stale() -> None:
    names = [str(path.relative_to(ROOT)) for path in stale(Project.find(ROOT))]
    assert names == [], "make them anew: ./nox -s docs"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_every_page_of_the_documentation_is_reached_from_its_start() -> None:
    reached, waiting = set[Path](), [ROOT / "docs/README.md", ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        links = (link.partition("#")[0] for link in _LINK.findall(prose(document)) if not re.match(r"[a-z]+:", link))
        targets = ((document.parent / path).resolve() for path in links if path.endswith(".md"))
        waiting += [target for target in targets if target.is_file() and target not in reached]
    listed = {ROOT / "docs/decisions", ROOT / "docs/guides/examples"}  # folders that are linked as such
    pages_on_disk = [path for path in ROOT.glob("docs/**/*.md") if listed.isdisjoint(path.parents)]
    unreached = [path for path in pages_on_disk if path not in reached]
    assert [str(path.relative_to(ROOT)) for path in unreached] == []


def test_there_is_a_page_for_every_role_and_suite() -> None:
    names = {str(path.relative_to(ROOT)) for path in made()}
    assert {f"{role.relative_to(ROOT)}/README.md" for role in ROOT.glob("roles/*")} <= names
    assert {f"docs/reference/suites/{path.parent.name}.md" for path in suite_files(ROOT / "tests/suites")} <= names


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a|b", "a\\|b"), ("`a | b`", "`a \\| b`"), ("one\ntwo  three", "one two three"), (None, "None"), ("", "")],
)
def test_a_cell_is_one_line_whose_pipes_are_escaped(text: object, expected: str) -> None:
    assert cell(text) == expected


def test_a_table_has_a_row_for_each_value() -> None:
    assert table(("A", "B"), [(1, "x|y")]) == "| A | B |\n|---|---|\n| 1 | x\\|y |\n"
    assert table(("A",), []) == "| A |\n|---|\n"


def test_no_cell_of_a_committed_page_is_escaped_twice() -> None:
    assert [path.name for path, text in made().items() if "\\\\|" in text and path.suffix == ".md"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](b.md)", "[a](../../s/b.md)"),
        ("[a](../../docs/r/c.md#d)", "[a](c.md#d)"),
        ("[a](#here) [b](https://example.org/x) [c](/abs)", "[a](#here) [b](https://example.org/x) [c](/abs)"),
    ],
)
def test_links_of_a_moved_text_lead_where_they_led(text: str, expected: str) -> None:
    root = Path("/p")
    assert moved(text, root / "s" if "../../" not in text else root / "tests/s", root / "docs/r") == expected


def role(folder: Path, specs: str, defaults: str = "---\n") -> Path:
    (folder / "meta").mkdir(parents=True)
    (folder / "defaults").mkdir()
    (folder / "meta/argument_specs.yml").write_text(specs)
    (folder / "defaults/main.yml").write_text(defaults)
    return folder


def test_a_readme_tells_markup_defaults_and_choices(tmp_path: Path) -> None:
    specs = """
argument_specs:
  main:
    short_description: Does it.
    description: [Uses C(it) and I(that).]
    options: &options
      r_a: {type: str, choices: [x, y], description: [First., "C(x|y)."]}
      r_b: {type: list, elements: str, required: true, description: B.}
  cleanup:
    short_description: Undoes it
    options: *options
  other:
    short_description: Another
"""
    folder = role(tmp_path / "r", specs, "r_a: \"{{ a | default('x') }}\"\n")
    (folder / "docs.md").write_text("Of its own.\n")
    text = role_readme(folder)
    assert "# r\n\nDoes it.\n\nUses `it` and *that*.\n\nOf its own.\n\n## Variables\n" in text
    assert "| `r_a` | str: x, y | `{{ a \\| default('x') }}` | First. `x\\|y`. |" in text
    assert "| `r_b` | list of str | required | B. |" in text
    assert "## Entry point `cleanup`\n\nUndoes it.\n\nTakes the same variables as above.\n" in text
    assert text.endswith("## Entry point `other`\n\nAnother.\n\nTakes no variables of its own.\n")


def test_a_suites_page_tells_checks_with_their_stage_and_faults(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text('''
import pytest

pytestmark = [pytest.mark.contract, pytest.mark.pre_merge]


def test_one_thing():
    """One | thing.

    More.
    """


@pytest.mark.nightly
@pytest.mark.check("named")
async def test_other():
    """Another."""


def helper():
    """No check."""
''')
    (tmp_path / "docs.md").write_text("See [it](test_it.py).\n")
    fault = {"description": "It breaks.", "must_fail": ["s/one-thing"]}
    definition = Suite.model_validate({"name": "s", "description": "Judges.", "faults": {"broken": fault}})
    text = suite_page(FoundSuite(definition, tmp_path), tmp_path / "pages")
    assert "| `s/named` | nightly | Another. |\n| `s/one-thing` | pre_merge | One \\| thing. |\n" in text
    assert "| `broken` | It breaks. | `s/one-thing` |\n" in text
    assert "See [it](../test_it.py).\n" in text
    assert "helper" not in text
