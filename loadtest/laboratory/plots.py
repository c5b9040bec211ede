"""Plots of a run as inline SVG: no script, nothing from outside, every text escaped."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

_COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000",
    "#997700", "#004488", "#994455", "#6699cc",
)  # fmt: skip
"""Paul Tol's, told apart by the colour-blind; used again where there are more lines."""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 220, 60, 30, 12


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    across: str,
    up: str,
    limit: float | None = None,
    width: int = _WIDTH,
    height: int = _HEIGHT,
    legend: bool = True,
) -> str:
    """Lines over a common axis from 0. `limit`: a red line across."""
    points = [point for line in series.values() for point in line]
    right = max([x for x, _ in points] + [1e-9])
    top = max([y for _, y in points] + [limit or 0.0, 1e-9]) * 1.05
    inner, tall = width - _LEFT - 12, height - _BOTTOM - _TOP

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + inner * x / right, _TOP + tall * (1 - y / top)

    parts = [_open(title, width, height), *_axes(width, height, right, top, across, up)]
    if limit is not None:
        _, y = at(0, limit)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{width - 12}" stroke="#cc3311" stroke-dasharray="5 3"/>'
        )
    for number, line in enumerate(series.values()):
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in line)
        colour = _COLOURS[number % len(_COLOURS)]
        if path:
            parts.append(f'<path d="M{path}" stroke="{colour}" fill="none" stroke-width="1.5"/>')
    parts.append("</svg>")
    return "".join(parts) + (_legend(list(series)) if legend else "")


def bars(title: str, values: Mapping[str, float], *, across: str, up: str) -> str:
    """A bar for each name."""
    top = max([*values.values(), 1e-9]) * 1.05
    inner, tall = _WIDTH - _LEFT - 12, _HEIGHT - _BOTTOM - _TOP
    step = inner / max(len(values), 1)
    parts = [_open(title, _WIDTH, _HEIGHT), *_axes(_WIDTH, _HEIGHT, None, top, across, up)]
    for number, (name, value) in enumerate(values.items()):
        x, tall_one = _LEFT + step * number, tall * value / top
        parts.append(
            f'<rect x="{x + step * 0.1:.1f}" y="{_TOP + tall - tall_one:.1f}" '
            f'width="{step * 0.8:.1f}" height="{tall_one:.1f}" fill="{_COLOURS[0]}">'
            f"<title>{escape(f'{name}: {value:g}')}</title></rect>"
        )
        if len(values) <= 16:
            parts.append(_text(x + step / 2, _HEIGHT - _BOTTOM + 13, name, "middle"))
    return "".join(parts) + "</svg>"


def _open(title: str, width: int, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f"aria-label={quoteattr(title)}><title>{escape(title)}</title>"
    )


def _axes(
    width: int, height: int, right: float | None, top: float, across: str, up: str
) -> list[str]:
    floor = height - _BOTTOM
    parts = [
        f'<path d="M{_LEFT} {_TOP}V{floor}H{width - 12}" stroke="#555555" fill="none"/>',
        _text(_LEFT - 6, _TOP + 8, _short(top), "end"),
        _text(_LEFT - 6, floor, "0", "end"),
        _text(_LEFT + 4, _TOP + 8, up, "start"),
        _text(width - 12, height - 4, across, "end"),
    ]
    if right is not None:
        parts.append(_text(width - 12, floor + 13, _short(right), "end"))
    return parts


def _legend(names: Sequence[str]) -> str:
    items = "".join(
        f'<li><span style="background:{_COLOURS[n % len(_COLOURS)]}"></span>{escape(name)}</li>'
        for n, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g} {letter}"
    return f"{value:.4g}"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
