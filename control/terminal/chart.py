"""A line over days as SVG, without anything that is loaded from elsewhere."""

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
