"""README pages of the roles, and their index, from the argument specifications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.pages.markdown import NOTE, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Markup of Ansible's documentation for code, values, options and emphasis:
# https://docs.ansible.com/ansible/latest/dev_guide/ansible_markup.html
_MARKUP = re.compile(r"\b([CVOEBI])\(([^()]*)\)")
_MARKS = {"B": "**", "I": "*"}


def _specs(role: Path) -> dict[str, Any]:
    loaded = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return dict(loaded["argument_specs"])


def _defaults(role: Path) -> dict[str, Any]:
    file = role / "defaults/main.yml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}


def _text(value: Any) -> str:
    """Return a description, which is a paragraph or a list of them, as one paragraph of Markdown."""
    paragraph = " ".join(str(line) for line in value) if isinstance(value, list) else str(value or "")
    return _MARKUP.sub(lambda match: f"{_MARKS.get(match[1], '`')}{match[2]}{_MARKS.get(match[1], '`')}", paragraph)


def _default(name: str, defaults: dict[str, Any]) -> str:
    if name not in defaults:
        return ""
    value = defaults[name]
    shown = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    shown = " ".join(shown.removesuffix("...").split())
    limit = 80
    return f"`{shown}`" if 0 < len(shown) <= limit else ("`''`" if not shown else "see `defaults/main.yml`")


def _options(options: dict[str, Any], defaults: dict[str, Any]) -> str:
    rows = []
    for name, spec in options.items():
        kind = spec.get("type", "str")
        if kind == "list":
            kind = f"list of {spec.get('elements', 'any')}"
        if spec.get("choices"):
            kind = f"{kind}: {', '.join(str(choice) for choice in spec['choices'])}"
        default = "required" if spec.get("required") else _default(name, defaults)
        rows.append((f"`{name}`", kind, default, _text(spec.get("description"))))
    return table(("Variable", "Type", "Default", "Meaning"), rows)


def role_readme(role: Path) -> str:
    """Return the README of a role; text of its own stands in ``docs.md`` beside it, where there is any."""
    specs, defaults = _specs(role), _defaults(role)
    main = specs.get("main", {})
    parts = [NOTE, f"\n# {role.name}\n", f"\n{main.get('short_description', '').rstrip('.')}.\n"]
    parts += [f"\n{' '.join(_text(line).split())}\n" for line in _lines(main.get("description"))]
    extra = role / "docs.md"
    if extra.is_file():
        parts.append("\n" + extra.read_text(encoding="utf-8").strip() + "\n")
    for entry, spec in specs.items():
        options = spec.get("options") or {}
        title = "Variables" if entry == "main" else f"Entry point `{entry}`"
        parts.append(f"\n## {title}\n")
        if entry != "main":
            parts.append(f"\n{spec.get('short_description', '').rstrip('.')}.\n")
        if entry != "main" and options and options == main.get("options"):
            parts.append("\nTakes the same variables as above.\n")
            continue
        parts.append("\n" + (_options(options, defaults) if options else "Takes no variables of its own.\n"))
    return "".join(parts)


def _lines(value: Any) -> list[str]:
    return [str(line) for line in value] if isinstance(value, list) else ([str(value)] if value else [])


def roles_index(roles: Sequence[Path]) -> str:
    """Return the page that lists all roles."""
    rows = [
        (f"[{role.name}](../../roles/{role.name}/README.md)", _specs(role).get("main", {}).get("short_description", ""))
        for role in roles
    ]
    intro = (
        "Each can be used by itself, as `proving.ground.<role>` of the collection: build it with\n"
        "`./nox -s build`, and install the archive with `ansible-galaxy collection install`.\n"
    )
    return f"{NOTE}\n# Roles\n\n{intro}\n{table(('Role', 'What it does'), rows)}"
