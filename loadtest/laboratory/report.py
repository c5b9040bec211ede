"""A run as one HTML page: figures, invariants and plots, nothing asked of anybody, every text
escaped."""

from collections.abc import Iterable
from html import escape

from loadtest.laboratory import plots
from loadtest.laboratory.result import Curve, Result

_CURVES = 48
"""Curves of IPs that are drawn: the fullest and the emptiest half each."""
_MB = 2**20
_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1040px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 0.5em 0; }
td, th { text-align: left; padding: 0.15em 0.8em 0.15em 0; border-bottom: 1px solid #dddddd;
  vertical-align: top; }
td.n { text-align: right; }
svg { font: 11px sans-serif; fill: #222222; }
.ok { color: #117733; } .bad { color: #cc3311; font-weight: bold; }
.few { display: flex; flex-wrap: wrap; gap: 0.4em; }
figure { margin: 0.8em 0; } figcaption { font-size: 13px; }
ul.legend { list-style: none; padding: 0; font-size: 13px; }
ul.legend li { display: inline-block; margin-right: 1em; }
ul.legend span { display: inline-block; width: 0.9em; height: 0.9em; margin-right: 0.3em; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report(result: Result) -> str:
    """The whole page."""
    title = f"Load laboratory: {result.scenario.name}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        _verdict(result),
        "<h2>Invariants</h2>",
        "<p>Checked against the books of the PowerMTA stand-in.</p>",
        _invariants(result),
        "<h2>Figures</h2>",
        _figures(result),
        "<h2>Days</h2>",
        _days(result),
        _course(result),
        "<h2>Each IP against its allowance</h2>",
        _curves(result),
        "<h2>Latency</h2>",
        _latency(result),
        "<h2>Memory and processor</h2>",
        _processes(result),
        "<h2>Mailboxes</h2>",
        _mailboxes(result),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _verdict(result: Result) -> str:
    made = result.machine
    mark = (
        '<span class="ok">All invariants hold.</span>'
        if result.ok
        else f'<span class="bad">Broken: {escape(", ".join(result.broken))}.</span>'
    )
    kind = "compiled" if made.compiled else "interpreted"
    where = f"{made.cores} cores, {made.cpu}, {made.python}, {kind}, {made.revision or 'no clone'}"
    return (
        f"<p>{mark} Began {escape(result.started)}, set up in {result.setup_seconds:,.0f} s, ran "
        f"{result.run_seconds:,.0f} s. {escape(where)}.</p>"
    )


def _invariants(result: Result) -> str:
    rows = [
        (
            one.name,
            one.means + "".join(f"; {what}" for what in one.first),
            one.looked_at,
            one.said,
        )
        for one in result.invariants
    ]
    return _table(("name", "means", "looked at", ""), rows)


def _figures(result: Result) -> str:
    found, scenario = result.figures, result.scenario
    tenants = sum(group.count for group in scenario.tenants)
    mailboxes = sum(group.count * group.mailboxes for group in scenario.tenants)
    completion = "nothing to reach" if found.completion is None else f"{found.completion:.2%}"
    return _table(
        ("", ""),
        [
            ("tenants, mailboxes, IPs", f"{tenants:,}, {mailboxes:,}, {len(result.curves):,}"),
            ("messages offered", found.offered),
            ("answered 250", found.acknowledged),
            ("deferred, refused, unheard", f"{found.deferred}, {found.refused}, {found.unheard}"),
            ("taken by PowerMTA", found.taken),
            ("waiting at the end", found.waiting),
            ("granted before midnight, taken after it", found.over_midnight),
            ("quota completion: mailboxes at their minimum", completion),
            ("farthest from a fair share, recipients", found.farthest),
            ("failure rate (bounced and refused)", f"{found.failures:.2%}"),
            ("IPs paused by warm-up", ", ".join(result.paused) or "none"),
            *((f"answer: {text}", "") for text in result.trouble),
        ],
    )


def _days(result: Result) -> str:
    head = (
        *("day", "offered", "taken", "allowance", "mailboxes with mail", "at their minimum"),
        *("shortfall", "farthest from fair", "Jain's index"),
    )
    return _table(
        head,
        [
            (
                *(day.day, day.offered, day.taken, day.allowance, day.with_mail, day.reached),
                *(day.shortfall, day.farthest),
                "" if day.jain is None else f"{day.jain:.4f}",
            )
            for day in result.figures.days
        ],
    )


def _course(result: Result) -> str:
    steps = list(enumerate(result.samples, 1))
    series = {
        name: [(0.0, 0.0), *((float(n), float(getattr(s, name))) for n, s in steps)]
        for name in ("offered", "taken", "waiting")
    }
    rates = {"messages a second": [(float(n), s.rate) for n, s in steps]}
    return _figure(
        plots.lines("Course of the run", series, across="steps of the clock", up="messages"),
        "What clients had offered, what PowerMTA had taken, what waited.",
    ) + _figure(
        plots.lines("Rate", rates, across="steps of the clock", up="a second", legend=False),
        "Messages a second that clients were answered, while they sent.",
    )


def _curves(result: Result) -> str:
    def used(curve: Curve) -> float:
        return max((day[-1] for day in curve.days if day), default=0) / curve.quota

    curves = sorted(result.curves, key=used, reverse=True)
    left_out = len(curves) - _CURVES
    if left_out > 0:
        curves = curves[: _CURVES // 2] + curves[-_CURVES // 2 :]
    said = f"<p>{left_out:,} IPs between those are not drawn.</p>" if left_out > 0 else ""
    return (
        '<div class="few">'
        + "".join(
            _figure(
                plots.lines(
                    f"{curve.address} of {curve.tenant}",
                    {
                        f"day {number}": [(0.0, 0.0), *_points(day)]
                        for number, day in enumerate(curve.days, 1)
                    },
                    across="steps of the day",
                    up="recipients",
                    limit=curve.quota,
                    width=245,
                    height=140,
                    legend=False,
                ),
                f"{curve.address}, {curve.tenant}: {used(curve):.0%} of {curve.quota:,}",
            )
            for curve in curves
        )
        + f"</div>{said}"
    )


def _points(day: list[int]) -> list[tuple[float, float]]:
    return [(float(n), float(value)) for n, value in enumerate(day, 1)]


def _latency(result: Result) -> str:
    rows = [("SMTP: MAIL to the answer of the dot", result.figures.answer)]
    rows += [(f"GET {path}", found) for path, found in result.api.items()]
    return _table(
        ("milliseconds", "lowest", "median", "95 %", "99 %", "highest"),
        [
            (
                name,
                *(
                    f"{1000 * value:,.1f}"
                    for value in (one.lowest, one.median, one.p95, one.p99, one.highest)
                ),
            )
            for name, one in rows
            if one is not None
        ],
    )


def _processes(result: Result) -> str:
    names = list(result.memory)
    steps = list(enumerate(result.samples, 1))
    series = {name: [(float(n), s.memory.get(name, 0) / _MB) for n, s in steps] for name in names}
    return _figure(
        plots.lines("Memory", series, across="steps of the clock", up="MiB"),
        "Resident memory; processes of one name are summed, so that PostgreSQL's is an upper "
        "bound.",
    ) + _table(
        ("process", "most MiB", "processor, s"),
        [
            (name, f"{result.memory[name] / _MB:,.1f}", f"{result.processor.get(name, 0):,.1f}")
            for name in names
        ],
    )


def _mailboxes(result: Result) -> str:
    found = result.figures
    streaks = {str(days): float(count) for days, count in found.streaks.items()}
    return (
        _figure(
            plots.bars("Streaks", streaks, across="days in a row", up="mailboxes"),
            "Longest row of days in which a mailbox reached its minimum (one message, where it has "
            "none).",
        )
        + "<p>Most failures:</p>"
        + _table(
            ("mailbox", "offered", "failed", "rate"),
            [
                (one.mailbox, one.offered, one.failed, f"{one.failed / one.offered:.1%}")
                for one in found.worst
            ],
        )
    )


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, int):
            return f'<td class="n">{value:,}</td>'
        kind = ' class="bad"' if str(value).startswith("broken ") else ""
        return f"<td{kind}>{escape(str(value))}</td>"

    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
