"""DynamoDB's expressions: placeholders, projections, quotas. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chalicelib.dynamodb.items import Attribute, Path
from chalicelib.problems import bad_request
from chalicelib.query.conditions import Condition
from chalicelib.query.values import Value

# DynamoDB's quotas for an expression, and for the operands of an IN.
EXPRESSION_BYTES = 4096
EXPRESSION_OPERATORS = 300
MAX_IN = 100

_OPERATOR = re.compile(r"\b(?:AND|OR|NOT|IN|BETWEEN|begins_with|contains|attribute_exists)\b|[<>=]+")


class Placeholders:
    """Names and values of an expression. DynamoDB takes both beside it: a reserved word in it would be an error."""

    def __init__(self) -> None:
        self.values: dict[str, Attribute] = {}
        self._name_of: dict[str, str] = {}

    @property
    def names(self) -> dict[str, str]:
        return {name: attribute for attribute, name in self._name_of.items()}

    def path(self, path: Path) -> str:
        text = ""
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
                continue
            name = self._name_of.setdefault(step, f"#n{len(self._name_of)}")
            text += f".{name}" if text else name
        return text

    def value(self, value: Value) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = dict([value])
        return name

    def condition(self, condition: Condition) -> str:
        """Return `condition` as a part of an expression that stands between ANDs."""
        path = self.path(condition.path)
        operands = [[self.value(value) for value in values] for values in condition.alternatives]
        if condition.operator.as_in and len(operands) > 1:
            # One IN counts as one of the 300 operators that an expression may have.
            texts = [operand for (operand,) in operands]
            parts = [f"{path} IN ({','.join(texts[i : i + MAX_IN])})" for i in range(0, len(texts), MAX_IN)]
        else:
            parts = [condition.operator.expression.format(*values, path=path) for values in operands]
        text = " OR ".join(parts)
        if condition.negated:
            # NOT of a test that a missing attribute fails, and never <>: a missing attribute is not any value.
            return f"NOT ({text})"
        return f"({text})" if len(parts) > 1 else text

    def conjunction(self, conditions: Iterable[Condition]) -> str:
        """Return the expression that all of `conditions` hold. Raise Problem(400) if it is over a quota."""
        return _within_quotas(" AND ".join(map(self.condition, conditions)))

    def projection(self, paths: Sequence[Path]) -> str:
        """Return the ProjectionExpression of `paths`, without those inside another: DynamoDB refuses overlaps."""
        asked = dict.fromkeys(paths)
        outermost = [path for path in asked if not any(path[:depth] in asked for depth in range(1, len(path)))]
        return _within_quotas(", ".join(map(self.path, outermost)))


def _within_quotas(expression: str) -> str:
    # Names and values are placeholders, so that every word is an operator.
    operators = len(_OPERATOR.findall(expression))
    if len(expression) > EXPRESSION_BYTES or operators > EXPRESSION_OPERATORS:
        raise bad_request(
            f"The request is too long: its expression has {len(expression)} bytes and {operators} operators, and "
            f"DynamoDB takes {EXPRESSION_BYTES} and {EXPRESSION_OPERATORS}. Use fewer conditions, values or fields."
        )
    return expression
