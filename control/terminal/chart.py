"""Values over days: as SVG, without anything that is loaded from elsewhere, and as text."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, EDGE = 720, 320, 48


def svg(title: str, dates: Sequence[str], lines: Mapping[str, Sequence[int]]) -> str:
    """Each line has a value a date. The scale begins at 0."""
    top = max((value for line in lines.values() for value in line), default=0) or 1
    step = (WIDTH - 2 * EDGE) / max(1, len(dates) - 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<title>{escape(title)}</title><g font-family="sans-serif" font-size="12">',
        f'<text x="{EDGE}" y="20" font-size="14">{escape(title)}</text>',
        f'<path d="M{EDGE} {EDGE}V{HEIGHT - EDGE}H{WIDTH - EDGE}" fill="none" stroke="#555"/>',
        f'<text x="{EDGE - 6}" y="{EDGE + 4}" text-anchor="end">{top:,}</text>',
        f'<text x="{EDGE - 6}" y="{HEIGHT - EDGE}" text-anchor="end">0</text>',
    ]
    if dates:
        bottom = HEIGHT - EDGE + 18
        parts.append(f'<text x="{EDGE}" y="{bottom}">{escape(dates[0])}</text>')
        parts.append(
            f'<text x="{WIDTH - EDGE}" y="{bottom}" text-anchor="end">{escape(dates[-1])}</text>'
        )
    for at, (name, line) in enumerate(lines.items()):
        points = " ".join(
            f"{EDGE + step * i:.1f},{HEIGHT - EDGE - value / top * (HEIGHT - 2 * EDGE):.1f}"
            for i, value in enumerate(line)
        )
        colour = ("#0b62a8", "#b3261e", "#4d7c0f")[at % 3]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{WIDTH - EDGE}" y="{20 + 16 * at}" text-anchor="end" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*parts, "</g></svg>"]) + "\n"


ROWS, COLUMNS = 12, 70
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_BOUND = "┄"


def plot(
    dates: Sequence[str],
    filled: Sequence[int],
    bound: Sequence[int],
    *,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> list[str]:
    """Lines of text: bars of `filled` and, above them, where `bound` is. Each has a value a date;
    where there are more dates than columns, a column has the largest values of its dates. The
    scale begins at 0."""
    spans = _spans(len(dates), columns)
    bars, bounds = ([max(line[a:b]) for a, b in spans] for line in (filled, bound))
    top = max([*bars, *bounds, 1])
    half = rows // 2
    marks = {rows: f"{top:,}", 0: "0"}
    if top > 1:
        marks[half] = f"{top * half / rows:,.0f}"
    edge = max(map(len, marks.values()))
    found = []
    for row in range(rows, 0, -1):
        cells = "".join(
            _cell(bar * rows / top, at * rows / top, row)
            for bar, at in zip(bars, bounds, strict=True)
        )
        found.append(f"{marks.get(row, ''):>{edge}} ┤{cells}".rstrip())
    found.append(f"{marks[0]:>{edge}} └{'─' * len(spans)}")
    if dates:
        # A short plot has room for its first date alone.
        room = len(spans) - len(dates[0]) - len(dates[-1])
        last = f"{'':>{room}}{dates[-1]}" if room > 0 else ""
        found.append(f"{'':>{edge}}  {dates[0]}{last}")
    return found


def _spans(count: int, columns: int) -> list[tuple[int, int]]:
    """The values of each column, as (first, behind the last): as many of them as there are, or
    several of one date each, so that few of them are wide enough to be seen."""
    if count > columns:
        return [(at * count // columns, (at + 1) * count // columns) for at in range(columns)]
    wide = columns // count if count else 0
    return [(at, at + 1) for at in range(count) for _ in range(min(wide, 8))]


def _cell(bar: float, bound: float, row: int) -> str:
    """Of one column and row; both in rows. What is not nothing is seen."""
    least = 1 if bar and row == 1 else 0
    part = min(8, max(least, round((bar - row + 1) * 8)))
    if part:
        return _EIGHTHS[part]
    return _BOUND if row - 1 < bound <= row else " "
