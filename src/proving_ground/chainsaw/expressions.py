r"""JMESPath as Chainsaw speaks it: jmespath's lexer, parser and interpreter, extended.

Beyond JMESPath 1.1: ``$name`` bindings, ``$`` for the root, ``let $x = ... in ...``, arithmetic
(``+ - * / % //`` and their Unicode forms), bare integers, slices of strings, raw strings with ``\\`` and
``\'``, and the functions of `proving_ground.chainsaw.functions`. The dialect is that of
https://github.com/jmespath-community/go-jmespath, which Chainsaw is built on.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jmespath import exceptions, visitor

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.functions import call_function
from proving_ground.chainsaw.lookups import (
    CLUSTER_FUNCTIONS,
    Cluster,
    ClusterCall,
    ClusterCalls,
    ClusterNeeded,
    call_cluster,
    resolve,
)
from proving_ground.chainsaw.syntax import Node, Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Cluster",
    "ClusterCall",
    "ClusterCalls",
    "ClusterNeeded",
    "Expression",
    "ExpressionError",
    "compile_expression",
    "resolve",
]


class Interpreter(visitor.TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    """Evaluates a tree against a value, bindings and what is known of the cluster."""

    def __init__(self, root: Any, bindings: Mapping[str, Any], calls: ClusterCalls | None) -> None:
        super().__init__()
        self._root = root
        self._bindings = bindings
        self._calls = calls

    def visit_root(self, _node: Node, _value: Any) -> Any:
        """Return the value that the whole expression was given."""
        return self._root

    def visit_variable(self, node: Node, _value: Any) -> Any:
        """Return a binding."""
        try:
            return self._bindings[node["value"]]
        except KeyError:
            known = ", ".join(f"${name}" for name in sorted(self._bindings)) or "none"
            reason = f"no binding ${node['value']} (there are: {known})"
            raise ExpressionError("", node["start"], reason) from None

    def visit_let(self, node: Node, value: Any) -> Any:
        """Evaluate an expression with more bindings."""
        values = [self.visit(child, value) for child in node["children"][:-1]]
        inner = {**self._bindings, **dict(zip(node["value"], values, strict=True))}
        return Interpreter(self._root, inner, self._calls).visit(node["children"][-1], value)

    def visit_unary(self, node: Node, value: Any) -> Any:
        """Evaluate ``+x`` and ``-x``; null unless x is a number."""
        number = self.visit(node["children"][0], value)
        if not _is_number(number):
            return None
        return -number if node["value"] == "minus" else number

    def visit_arithmetic(self, node: Node, value: Any) -> Any:
        """Evaluate an operator; null unless both sides are numbers."""
        left = self.visit(node["children"][0], value)
        right = self.visit(node["children"][1], value)
        if not (_is_number(left) and _is_number(right)):
            return None
        try:
            result = _OPERATIONS[node["value"]](left, right)
        except (ZeroDivisionError, ValueError):  # fmod's own
            raise ExpressionError("", None, "division by zero") from None
        except OverflowError:
            raise ExpressionError("", None, "number out of range") from None
        return int(result) if isinstance(result, float) and result.is_integer() else result

    def visit_comparator(self, node: Node, value: Any) -> Any:
        """Evaluate a comparison; ordering needs two numbers and is null otherwise, also for texts."""
        left = self.visit(node["children"][0], value)
        right = self.visit(node["children"][1], value)
        operator = node["value"]
        if operator in ("eq", "ne"):
            return equal(left, right) is (operator == "eq")
        if _is_number(left) and _is_number(right):
            return self.COMPARATOR_FUNC[operator](left, right)
        return None

    def visit_subexpression(self, node: Node, value: Any) -> Any:
        """Evaluate ``a.b``; null where the left side is null, whatever the right side needs."""
        for child in node["children"]:
            value = self.visit(child, value)
            if value is None:
                return None
        return value

    def visit_multi_select_dict(self, node: Node, value: Any) -> Any:
        """Evaluate ``{x: a}``; also for null, as ``{x: $a}`` needs no value."""
        return {child["value"]: self.visit(child, value) for child in node["children"]}

    def visit_multi_select_list(self, node: Node, value: Any) -> Any:
        """Evaluate ``[a, b]``; also for null, as ``[$a, $b]`` needs no value."""
        return [self.visit(child, value) for child in node["children"]]

    def visit_slice(self, node: Node, value: Any) -> Any:
        """Slice a list or a string."""
        if not isinstance(value, list | str):
            return None
        try:
            return value[slice(*node["children"])]
        except ValueError:
            raise ExpressionError("", None, "the step of a slice cannot be 0") from None

    def visit_projection(self, node: Node, value: Any) -> Any:
        """Project a list; the slice of a string is that string."""
        left = node["children"][0]
        if left["type"] == "index_expression" and left["children"][-1]["type"] == "slice":
            base = self.visit(left, value)
            if isinstance(base, str):
                return base
        return super().visit_projection(node, value)

    def visit_expref(self, node: Node, _value: Any) -> Any:
        """Return a callable that evaluates the referenced expression."""
        child = node["children"][0]
        return lambda item: self.visit(child, item)

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        """Call a function."""
        arguments = [self.visit(child, value) for child in node["children"]]
        if node["value"] in CLUSTER_FUNCTIONS:
            return call_cluster(node["value"], arguments, self._calls)
        return call_function(node["value"], arguments)


def _floor_divide(left: float, right: float) -> float:
    return math.floor(left / right) if isinstance(left, float) or isinstance(right, float) else left // right


_OPERATIONS = {
    "plus": lambda left, right: left + right,
    "minus": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "divide": lambda left, right: left / right,
    "modulo": math.fmod,
    "floor_divide": _floor_divide,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal; true and 1 are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    return bool(left == right)


class Expression:
    """A parsed expression; made by `compile_expression`."""

    __slots__ = ("needs_cluster", "text", "tree")

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.tree = Parser().parse_text(text)
        except ExpressionError as error:
            raise ExpressionError(text, error.position, error.reason) from None
        self.needs_cluster = _asks_cluster(self.tree)

    def evaluate(self, value: Any, bindings: Mapping[str, Any], calls: ClusterCalls | None = None) -> Any:
        """Evaluate against a value.

        Args:
            value: What ``@`` and plain names mean.
            bindings: What ``$name`` means; names without ``$``.
            calls: Known answers of the cluster, see `resolve`.

        Returns:
            JSON.

        Raises:
            ExpressionError: It failed.
            ClusterNeeded: It asks the cluster something that ``calls`` does not know.
        """
        try:
            return Interpreter(value, bindings, calls).visit(self.tree, value)
        except ExpressionError as error:
            raise ExpressionError(self.text, error.position, error.reason) from None
        except RecursionError:
            raise ExpressionError(self.text, None, "nested too deeply") from None
        except exceptions.JMESPathError as error:
            raise ExpressionError(self.text, None, str(error)) from None


def _asks_cluster(tree: Node) -> bool:
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if node["type"] == "function_expression" and node["value"] in CLUSTER_FUNCTIONS:
            return True
        nodes.extend(child for child in node.get("children", ()) if isinstance(child, dict))
    return False


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Parse an expression, once for each text.

    Args:
        text: Without the parentheses that mark it in YAML.

    Returns:
        The expression, to be evaluated any number of times.

    Raises:
        ExpressionError: Wrong syntax, an unknown function or a wrong number of arguments.
    """
    return Expression(text)
