"""What of Chainsaw is supported: the tables of its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.pages.markdown import NOTE, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.chainsaw.support import Support

CASES = "tests/integration/chainsaw/conformance"


INTRODUCTION = f"""\
Every field of Chainsaw's schemas, each option and each function, with what shows it: a case in `{CASES}`,
or a test file. What is refused is refused when the file is loaded, with file, line and this reason. How it works is
told in [chainsaw.md](chainsaw.md).
"""


def shown(what: str) -> str:
    """Return what shows something, for a table: a case, a test file, or a remark."""
    if what.endswith(".py"):
        return f"`tests/{what}`"
    return f"`{what}`" if "/" in what and " " not in what else what


def chainsaw_support(support: Support, functions: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        support: What is supported.
        functions: Names of the functions, with what shows each.
    """
    parts = [
        f"{NOTE}\n# Chainsaw: what is supported\n",
        INTRODUCTION,
        "## Fields\n",
    ]
    for group in support.groups:
        rows = [(f"`{name}`", "supported", shown(support.shown_by(group, name))) for name in group.fields]
        rows += [
            (f"`{name}`", f"refused: {why}", "`tests/unit/chainsaw/test_support.py`")
            for name, why in group.refused.items()
        ]
        title = group.title[0].upper() + group.title[1:]
        parts += [f"### {title}\n", table(("Field", "State", "Shown by"), rows)]
    parts += [
        "`compiler` takes `jp` (JMESPath), which is the default; `cel` is refused.\n",
        "## Options of `proving-ground chainsaw test`\n",
        table(
            ("Option", "Shown by", "Whose"),
            [
                (f"`{name}`", shown(what), "ours" if name in support.ours else "chainsaw's")
                for name, what in support.options.items()
            ],
        ),
        "## Functions\n",
        table(("Function", "Shown by"), [(f"`{name}`", shown(what)) for name, what in functions.items()]),
        "## Differences to the chainsaw binary\n",
        "All on purpose; the cases that show them carry the name in their `expected.yml`.\n",
        table(
            ("Name", "What", "Binary", "Engine", "Why"),
            [(f"`{one.id}`", one.what, one.binary, one.engine, one.why) for one in support.decisions],
        ),
    ]
    return "\n".join(parts)
