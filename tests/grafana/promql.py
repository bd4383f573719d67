"""Which series and labels a query asks for, and which labels its answer has.

The grammar is that of a real parser of PromQL; what is worked out here are labels, by
the rules of Prometheus: what a selector gives, what is left by an aggregation, and what
two sides of an operator have in common.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import promql_parser as ast

Labels = frozenset[str]

_NOTHING: Labels = frozenset()
_SELECTING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_WITHOUT_LABELS = frozenset({"vector", "scalar", "time"})
_SETS = frozenset({"and", "or", "unless"})


@dataclass
class Reading:
    """Works out one query.

    Attributes:
        known: the labels of each series by its name.
        faults: what is wrong with it, in words.
        matchers: every comparison of a label within, as (label, value).
        selects: whether it keeps only so many series.
    """

    known: Callable[[str], Labels | None]
    faults: list[str] = field(default_factory=list)
    matchers: list[tuple[str, str]] = field(default_factory=list)
    selects: bool = False

    def labels(self, expression: str) -> Labels:
        """Return the labels that the answer may have."""
        try:
            parsed = ast.parse(expression)
        except ValueError as error:
            self.faults.append(f"no PromQL: {error}")
            return _NOTHING
        return self._of(parsed)

    def _of(self, node: ast.Expr) -> Labels:
        labels = _NOTHING
        match node:
            case ast.VectorSelector():
                labels = self._selector(node)
            case ast.MatrixSelector():
                labels = self._selector(node.vector_selector)
            case ast.ParenExpr() | ast.UnaryExpr() | ast.SubqueryExpr():
                labels = self._of(node.expr)
            case ast.AggregateExpr():
                labels = self._aggregate(node)
            case ast.Call():
                labels = self._call(node)
            case ast.BinaryExpr():
                labels = self._binary(node)
            case ast.NumberLiteral() | ast.StringLiteral():
                pass
            case _:
                self.faults.append(f"not understood: {node}")
        return labels

    def _selector(self, node: ast.VectorSelector) -> Labels:
        name = node.name or ""
        labels = self.known(name)
        if labels is None:
            self.faults.append(f"no metric {name!r}")
            return _NOTHING
        for matcher in node.matchers.matchers:
            self.matchers.append((matcher.name, matcher.value))
            self._demand({matcher.name}, labels, f"{name} has")
        return labels

    def _aggregate(self, node: ast.AggregateExpr) -> Labels:
        inner = self._of(node.expr)
        operation = str(node.op)
        self.selects = self.selects or operation in _SELECTING
        named = frozenset(node.modifier.labels) if node.modifier else _NOTHING
        self._demand(named, inner, f"what {operation} works on has")
        if operation in _SELECTING:
            return inner
        if node.modifier and node.modifier.type == ast.AggModifierType.Without:
            return inner - named
        return named

    def _call(self, node: ast.Call) -> Labels:
        given = [self._of(argument) for argument in node.args]
        name = node.func.name
        if name in _WITHOUT_LABELS or not given:
            return _NOTHING
        if name in {"label_replace", "label_join"}:
            words = [one.val for one in node.args if isinstance(one, ast.StringLiteral)]
            source = words[2:3] if name == "label_replace" else words[2:]
            self._demand(set(source) - {""}, given[0], f"what {name} works on has")
            return given[0] | {words[0]}
        if name == "histogram_quantile":
            return given[1] - {"le"}
        # quantile_over_time() and its like take a number first.
        return frozenset().union(*given)

    def _binary(self, node: ast.BinaryExpr) -> Labels:
        left, right = self._of(node.lhs), self._of(node.rhs)
        if _is_scalar(node.lhs) or _is_scalar(node.rhs):
            return left | right
        modifier = node.modifier
        matching = modifier.matching if modifier else None
        on = left & right
        if matching is not None:
            named = frozenset(matching.labels)
            if matching.type == ast.LabelModifierType.Include:
                self._demand(named, left, "the left side has")
                self._demand(named, right, "the right side has")
                on = named
            else:
                self._demand(named, left | right, "neither side has")
                on = (left | right) - named
        elif left != right and str(node.op) != "or":
            names = ", ".join(sorted(left ^ right))
            self.faults.append(
                f"{node.op}: only one side has {names}; on () is missing"
            )
        return self._joined(node, left, right, on)

    def _joined(
        self, node: ast.BinaryExpr, left: Labels, right: Labels, on: Labels
    ) -> Labels:
        if str(node.op) in _SETS:
            return left | right if str(node.op) == "or" else left
        card = node.modifier.card if node.modifier else None
        grouped = frozenset((node.modifier.group_labels if node.modifier else ()) or ())
        if card == ast.VectorMatchCardinality.ManyToOne:
            self._demand(grouped, right, "the right side has")
            return left | grouped
        if card == ast.VectorMatchCardinality.OneToMany:
            self._demand(grouped, left, "the left side has")
            return right | grouped
        return on

    def _demand(self, wanted: set[str] | Labels, there: Labels, who: str) -> None:
        self.faults += [f"{who} no label {name!r}" for name in sorted(wanted - there)]


def names_in(expression: str) -> set[str]:
    """Return the names of all series that a query asks for."""
    names: set[str] = set()

    def note(node: ast.Expr) -> None:
        selector = node
        if isinstance(node, ast.MatrixSelector):
            selector = node.vector_selector
        if isinstance(selector, ast.VectorSelector):
            names.add(selector.name or "")

    ast.walk(ast.parse(expression), note)
    return names


def _is_scalar(node: ast.Expr) -> bool:
    match node:
        case ast.ParenExpr() | ast.UnaryExpr():
            return _is_scalar(node.expr)
        case ast.NumberLiteral():
            return True
        case ast.Call():
            return node.func.name in {"time", "scalar", "pi"}
        case ast.BinaryExpr():
            return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    return False


def labels_of(expression: str, known: Mapping[str, Labels]) -> Labels:
    """Return the labels of an answer, of a query that is right.

    Raises:
        ValueError: it is not.
    """
    reading = Reading(known.get)
    labels = reading.labels(expression)
    if reading.faults:
        msg = f"{expression}: {'; '.join(reading.faults)}"
        raise ValueError(msg)
    return labels
