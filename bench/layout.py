"""Tables as text and as Markdown, and numbers as both show them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NUMERIC = set("0123456789$")


@dataclass(frozen=True)
class Table:
    """A table of text. The first column holds labels; the others hold mostly numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def text(self) -> str:
        """Return the table with aligned columns, for a terminal."""
        lines = [self.columns, *self.rows]
        first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = (
            [line[0].ljust(first), *(cell.rjust(width) for cell, width in zip(line[1:], others, strict=True))]
            for line in lines
        )
        return "\n".join("  ".join(cells) for cells in aligned)

    def markdown(self) -> str:
        """Return the table in Markdown, with columns of numbers aligned to the right."""
        numeric = [any(cell[:1] in NUMERIC for cell in column if cell) for column in zip(*self.rows, strict=True)]
        rule = ("---", *["---:" if is_numeric else "---" for is_numeric in numeric[1:]])
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.columns, rule, *self.rows))


def number(value: float) -> str:
    """Return `value` with three significant digits, or with all digits before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 1 else 3}f}"
