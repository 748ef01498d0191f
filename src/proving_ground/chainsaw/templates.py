"""Values with expressions in them: manifests, bindings, outputs, names.

Every string that is ``(expr)`` from end to end is replaced by what the expression gives; keys and other
strings stay as they are, as in Chainsaw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.notation import parse_marked
from proving_ground.chainsaw.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.chainsaw.expressions import ClusterCalls, Expression

#: A parsed template: scalars as they are, expressions, lists and mappings of those.
_Node = Any


class Template:
    """A parsed value; made by `parse_template`.

    Attributes:
        raw: The value before parsing.
        constant: Whether it holds no expression.
        needs_cluster: Whether an expression asks the cluster.
    """

    __slots__ = ("_node", "constant", "needs_cluster", "raw")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        found: list[Expression] = []
        try:
            self._node = _parse(raw, found)
        except RecursionError:
            raise ExpressionError("", None, "nested too deeply") from None
        self.constant = not found
        self.needs_cluster = any(expression.needs_cluster for expression in found)

    def render(self, value: Any, bindings: Mapping[str, Any], calls: ClusterCalls | None = None) -> Any:
        """Return a copy with expressions evaluated; see `render`."""
        return _render(self._node, value, bindings, calls)


def parse_template(raw: Any) -> Template:
    """Parse a value that may hold expressions.

    Raises:
        ExpressionError: One of them is none.
    """
    return Template(raw)


def render(
    template: Any,
    value: Any,
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
) -> Any:
    """Evaluate the expressions in a value.

    Args:
        template: A `Template`, or a value that is parsed now.
        value: What ``@`` means; an expression below a key or an index sees what ``value`` has there.
        bindings: What ``$name`` means.
        calls: Known answers of the cluster.

    Returns:
        A new value, which shares nothing with the template.

    Raises:
        ExpressionError: An expression failed.
        ClusterNeeded: One asks the cluster something that ``calls`` does not know.
    """
    parsed = template if isinstance(template, Template) else Template(template)
    return parsed.render(value, bindings, calls)


def render_resource(
    obj: dict[str, Any],
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
) -> dict[str, Any]:
    """Return a copy of a manifest with its expressions evaluated; errors as in `render`."""
    rendered: dict[str, Any] = Template(obj).render(None, bindings, calls)
    return rendered


def render_string(text: str, bindings: Mapping[str, Any], calls: ClusterCalls | None = None) -> str:
    """Return a text, evaluated where it is ``(expr)``.

    Raises:
        ExpressionError: The expression failed, or gives something that is not a text.
    """
    expression = parse_marked(text)
    if expression is None:
        return text
    result = expression.evaluate(None, bindings, calls)
    if not isinstance(result, str):
        raise ExpressionError(expression.text, None, f"must give a string here, gives {shown(result)}")
    return result


def _parse(raw: Any, found: list[Expression]) -> _Node:
    if isinstance(raw, str):
        expression = parse_marked(raw)
        if expression is None:
            return raw
        found.append(expression)
        return expression
    if isinstance(raw, dict):
        return {key: _parse(item, found) for key, item in raw.items()}
    if isinstance(raw, list):
        return [_parse(item, found) for item in raw]
    return raw


def _render(node: _Node, value: Any, bindings: Mapping[str, Any], calls: ClusterCalls | None) -> Any:
    if isinstance(node, dict):
        within = value if isinstance(value, dict) else {}
        return {key: _render(item, within.get(key), bindings, calls) for key, item in node.items()}
    if isinstance(node, list):
        items = value if isinstance(value, list) else []
        return [
            _render(item, items[index] if index < len(items) else None, bindings, calls)
            for index, item in enumerate(node)
        ]
    if node is None or isinstance(node, str | int | float):
        return node
    return node.evaluate(value, bindings, calls)
