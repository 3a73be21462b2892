"""The figures as an SVG: a bar for each on a logarithmic scale, a whisker for its range, text as text.

Colours are Okabe and Ito's blue and orange, which the colour-blind tell apart, and say nothing that words do not. The
picture brings its own background, in light and in dark, since a page does not tell an image which of the two it is.
"""

import math
from html import escape
from statistics import median

from figures import (CEILING, DURABLE_RATIO_MIN, OURS, REFERENCE, SEARCHABLE, SEARCHABLE_RATIO_MIN, Figures, Subject)
from table import number

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 880, 280, 84, 92, 58
ROW, BAR = 34, 16
AIMS = {OURS: DURABLE_RATIO_MIN, SEARCHABLE: SEARCHABLE_RATIO_MIN}

STYLE = """
  text { font-family: system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; font-size: 13px; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .soft { fill: #59636e; font-size: 12px } .strong { font-weight: 600 }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
  .ground { fill: #ffffff; stroke: #d1d9e0 } .grid { stroke: #d1d9e0 } .one { stroke: #1f2328; stroke-width: 1.5 }
  .ours { fill: #0072b2 } .peer { fill: #e69f00 } .bound { fill: #999999 }
  .whisker { stroke: #1f2328; stroke-width: 1.5; fill: none } .aim { fill: #1f2328 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .soft { fill: #9198a1 } .ground { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #3d444d } .one, .whisker { stroke: #f0f6fc } .aim { fill: #f0f6fc }
    .value { stroke: #0d1117 } .ours { fill: #2f8fcf } .peer { fill: #b97f00 } .bound { fill: #6b737c }
  }
"""


def svg(figures: Figures) -> str:
    shown = [subject for subject in figures.subjects if subject.ratios]
    values = [value for subject in shown for value in subject.ratios]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) * 2) / 2
    height = TOP + ROW * len(shown) + BOTTOM

    def x(value: float) -> float:
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title description">',
        '<title id="title">Operations a second from A to B, to bare SQLite’s</title>',
        f'<desc id="description">{escape(described(shown))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        text(16, 28, "Operations a second from A to B, both durable, to bare SQLite’s", "title"),
        text(16, 48, f"{figures.operations:,} operations, {figures.rounds} round{'s' * (figures.rounds > 1)}, "
                     "median and range; logarithmic, further right is faster", "soft"),
    ]
    bottom = TOP + ROW * len(shown)
    for tick in ticks(low, high):
        parts.append(f'<line class="{"one" if tick == 1 else "grid"}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" '
                     f'y1="{TOP - 8}" y2="{bottom + 4}"/>')
        parts.append(text(x(tick), bottom + 20, f"× {tick:g}", "soft", "middle"))
    parts.append(text(x(1), TOP - 14, "bare SQLite", "soft", "middle"))
    for index, subject in enumerate(shown):
        parts += bar(subject, TOP + ROW * index + (ROW - BAR) / 2, x)
    parts += legend(bottom + 44)
    return "\n".join(parts + ["</svg>"]) + "\n"


def ticks(low: float, high: float) -> list[float]:
    return [10.0 ** power for power in range(math.ceil(low), math.floor(high) + 1)]


def bar(subject: Subject, y: float, x) -> list[str]:
    kind = "ours" if subject.key in (OURS, SEARCHABLE) else "bound" if subject.key in (REFERENCE, CEILING) else "peer"
    middle, least, most = median(subject.ratios), min(subject.ratios), max(subject.ratios)
    centre = y + BAR / 2
    parts = [
        text(LEFT - 12, centre + 4.5, subject.name, "strong" if kind == "ours" else "", "end"),
        f'<rect class="{kind}" x="{LEFT}" y="{y:.1f}" width="{max(x(middle) - LEFT, 1):.1f}" height="{BAR}" rx="2"/>',
    ]
    if most > least:
        parts.append(f'<path class="whisker" d="M{x(least):.1f} {centre - 5:.1f}v10m0 -5H{x(most):.1f}m0 -5v10"/>')
    end = max(x(most), x(middle))
    if subject.key in AIMS:
        # A triangle above the bar, its tip at the aim.
        tip = x(AIMS[subject.key])
        parts.append(f'<path class="aim" d="M{tip:.1f} {y:.1f}l-4 -7h8z"/>')
        end = max(end, tip + 4)
    label = "1" if subject.key == REFERENCE else f"× {number(middle)}"
    return parts + [text(end + 8, centre + 4.5, label, "value strong" if kind == "ours" else "value")]


def legend(y: float) -> list[str]:
    parts, left = [], LEFT
    for kind, name in (("ours", "Banjie"), ("peer", "what else one would take"), ("bound", "bounds")):
        parts.append(f'<rect class="{kind}" x="{left}" y="{y - 10}" width="12" height="12" rx="2"/>')
        parts.append(text(left + 18, y, name, "soft"))
        left += 34 + 6.4 * len(name)
    parts.append(f'<path class="aim" d="M{left + 5:.1f} {y}l-4 -8h8z"/>')
    return parts + [text(left + 16, y, "aim", "soft")]


def described(shown: list[Subject]) -> str:
    return "; ".join(f"{subject.name}: {number(median(subject.ratios))}" for subject in shown)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{anchor}>{escape(words)}</text>'
