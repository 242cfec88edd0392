"""A bar chart as an SVG, for light and dark pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, TEXT = 720, 150, 110
TITLE, ROW, BAR = 40, 26, 16

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.ours { fill: #0b6bcb } .peer { fill: #9aa4ae } .floor { fill: #c9b458 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ours { fill: #58a6ff } .peer { fill: #6b7682 } .floor { fill: #b39b3a }
}
"""


@dataclass(frozen=True)
class Bar:
    """`kind`: a class in STYLE."""

    label: str
    value: float
    text: str
    kind: str


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return a chart of horizontal bars from zero; the longest fills the width. `rows`: at least one."""
    width = WIDTH - LABEL - TEXT
    longest = max(row.value for row in rows) or 1.0
    height = TITLE + ROW * len(rows)
    description = "; ".join(f"{row.label} {row.text}" for row in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title><desc id="desc">{escape(description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="20">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        top = TITLE + ROW * number
        length = max(1.0, row.value / longest * width)
        lines += [
            f'<text x="{LABEL - 10}" y="{top + 13}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect class="{row.kind}" x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{LABEL + length + 8:.1f}" y="{top + 13}">{escape(row.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
