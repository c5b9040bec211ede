"""The shares of direct as an SVG: a bar a case, its spread, and what is needed."""

from xml.sax.saxutils import escape

from loadtest.benchmark.result import Result

_FONT = 'font-family="sans-serif" font-size="12"'
_GREY = 'fill="#555555"'
_LEFT, _BAR, _STEP, _WIDTH, _TOP = 330, 16, 26, 520, 50


def plot(results: list[Result], caption: str) -> str:
    """The whole file. Bars are ratios of medians, whiskers lowest and highest round, marks what is
    needed."""
    highest = max([r.direct.high for r in results] + [r.case.needed or 0.0 for r in results])
    scale = _WIDTH / max(highest, 0.1)
    height = _TOP + _STEP * len(results) + 40
    width = _LEFT + _WIDTH + 80
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _text(10, 20, "Sendgate as a share of smtp-source → smtp-sink direct", 'font-size="15"'),
        _text(10, 38, caption, _GREY),
    ]
    for row, result in enumerate(results):
        parts += _bar(result, _TOP + _STEP * row, scale)
    foot = "whisker: lowest and highest round; red: needed"
    parts += [_text(10, height - 12, foot, _GREY), "</svg>"]
    return "\n".join(parts) + "\n"


def _bar(result: Result, top: int, scale: float) -> list[str]:
    found = result.direct
    middle = top + _BAR / 2
    low, high = _LEFT + found.low * scale, _LEFT + found.high * scale
    end = _LEFT + found.value * scale
    whisker = f"M{low:.1f} {middle:g}H{high:.1f}M{low:.1f} {top + 4}v8M{high:.1f} {top + 4}v8"
    parts = [
        _text(_LEFT - 8, middle + 4, result.case.name, 'text-anchor="end"'),
        f'<rect x="{_LEFT}" y="{top}" width="{end - _LEFT:.1f}" height="{_BAR}" fill="#4477aa"/>',
        f'<path d="{whisker}" stroke="#222222" fill="none"/>',
        _text(max(high, end) + 6, middle + 4, f"{found.value:.2f}", ""),
    ]
    if needed := result.case.needed:
        mark = f"M{_LEFT + needed * scale:.1f} {top - 3}v{_BAR + 6}"
        parts.append(f'<path d="{mark}" stroke="#cc3311" stroke-width="2"/>')
    return parts


def _text(x: float, y: float, text: str, more: str) -> str:
    return f'<text x="{x:.1f}" y="{y:g}" {more}>{escape(text)}</text>'
