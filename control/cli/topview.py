"""What `sendgate top` shows, as lines of text: pure.

Rule: every line fits its width, whatever stands in it: names and sentences from outside are inert,
and cut by the cells they take. A narrow terminal has fewer columns, a wide one more; 80 are enough
for all that changes.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from rich.cells import set_cell_size
from rich.text import Text

from control.alerts.alert import AlertView
from control.cli.topkeys import HELP, Shown
from control.explain.standing import Mail
from control.traffic.traffic import IpTraffic, Traffic
from control.values.inert import inert
from policy.model import UNLIMITED
from policy.number import count

ALERTS = 3
"""Of the alerts, so many have a line."""
GAP = 1


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out."""

    traffic: Traffic | None = None
    """Null: nothing yet."""
    alerts: list[AlertView] | None = None
    """What is wrong; null: the token is of some tenants, or they were not asked for yet."""
    away: str = ""
    """Why there is no answer now; the rest is what the last one said. Empty: this is of now."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One of the table."""

    key: str
    """As `--sort` has it; empty: it is not sorted by it."""
    head: str
    width: int
    made: Callable[[IpTraffic], str]
    right: bool = True
    rank: int
    """The larger, the sooner it is left out where there is no room."""


COLUMNS = (
    Column(key="ip", head="IP", width=15, made=lambda r: r.ip, right=False, rank=0),
    Column(key="vmta", head="VirtualMTA", width=14, made=lambda r: r.vmta, right=False, rank=11),
    Column(key="tenant", head="tenant", width=10, made=lambda r: r.tenant, right=False, rank=10),
    Column(key="state", head="state", width=8, made=lambda r: r.state, right=False, rank=1),
    Column(
        key="stage",
        head="stage",
        width=5,
        made=lambda r: f"{r.stage}/{r.stages}" if r.stage else "own",
        rank=7,
    ),
    Column(key="quota", head="quota", width=6, made=lambda r: short(r.quota), rank=4),
    Column(key="used", head="used", width=6, made=lambda r: short(r.used), rank=2),
    Column(key="left", head="left", width=6, made=lambda r: short(r.left), rank=3),
    Column(key="held", head="held", width=6, made=lambda r: short(r.held), rank=5),
    Column(key="rate", head="rate/m", width=6, made=lambda r: short(r.rate), rank=6),
    Column(key="bounced", head="bounce", width=6, made=lambda r: short(r.bounced), rank=8),
    Column(key="deferred", head="defer", width=5, made=lambda r: short(r.deferred), rank=9),
    Column(key="", head="what binds", width=30, made=lambda r: r.why, right=False, rank=12),
)

CAUSES: Mapping[str, str] = {
    "ip_quota": "quota",
    "ip_pace": "pace",
    "window": "hours",
    "closed": "closed ledger",
}
"""Kinds of limits in a word; the others are called as they are."""

_STATES = {"active": "green", "paused": "red", "warming": "yellow"}


def lines(picture: Picture, shown: Shown, width: int, height: int) -> list[Text]:
    """The whole screen: at most `height` lines of at most `width` cells."""
    found = [*head(picture, shown, width)]
    foot = [_line(_prompt(shown), width, "reverse" if shown.typing is not None else "dim")]
    if shown.help:
        return [*found, *(_line(one, width) for one in HELP), *foot][:height]
    room = height - len(found) - len(foot)
    found += body(picture, shown, width, max(room, 0))
    found += [Text() for _ in range(height - len(found) - len(foot))]
    return [*found, *foot][:height]


def head(picture: Picture, shown: Shown, width: int) -> list[Text]:
    """What stands above the table."""
    found: list[Text] = []
    traffic = picture.traffic
    if picture.away:
        found.append(_line(f"no picture of now, {picture.away}", width, "bold red"))
    if traffic is None:
        return [*found, _line("sendgate top: asking control …", width)]
    known = "" if traffic.known >= traffic.all else f", {traffic.known:,} of them known so far"
    at = traffic.at.replace("T", " ").replace("Z", " UTC")
    of = f" of tenant {shown.tenant}" if shown.tenant else ""
    found.append(_line(f"sendgate top  {at}  {count(traffic.all, 'IP')}{of}{known}", width, "bold"))
    if traffic.stopped is not None:
        found.append(_line(traffic.stopped.sentence(), width, "bold red"))
    if traffic.mail is not None:
        found.append(_line(_rates(traffic.mail), width))
    found.append(_line(_today(traffic), width))
    found.append(_line(_binds(traffic), width))
    return found + _alerts(picture.alerts, width)


def body(picture: Picture, shown: Shown, width: int, room: int) -> list[Text]:
    """The table, in so many lines."""
    if picture.traffic is None or room < 1:
        return []
    columns = columns_in(width)
    spare = max(0, width - sum(c.width + GAP for c in columns) + GAP)
    longest = max((len(row.ip) for row in picture.traffic.rows), default=0)
    # IPv6 addresses, where there is room.
    wider = min(spare, max(0, longest - columns[0].width))
    widths = [columns[0].width + wider, *(c.width for c in columns[1:])]
    sort = shown.sort or "-used"
    top = Text()
    for column, size in zip(columns, widths, strict=True):
        style = "reverse bold" if sort.removeprefix("-") == column.key else "bold"
        top.append(fit(column.head, size, right=column.right), style).append(" " * GAP)
    found = [_cut(top, width)]
    rows = picture.traffic.rows[shown.offset :]
    for row in rows[: room - 1]:
        made = Text()
        for column, size in zip(columns, widths, strict=True):
            style = _STATES.get(row.state, "") if column.key == "state" else ""
            made.append(fit(column.made(row), size, right=column.right), style).append(" " * GAP)
        found.append(_cut(made, width))
    if not rows:
        found.append(_line("no IP matches" if shown.filtered else "there is no IP", width, "dim"))
    return found[:room]


def columns_in(width: int) -> list[Column]:
    """Those that a width has room for; the first always."""
    left = width + GAP
    found: list[Column] = []
    for column in sorted(COLUMNS, key=lambda one: one.rank):
        if found and column.width + GAP > left:
            break
        found.append(column)
        left -= column.width + GAP
    return sorted(found, key=COLUMNS.index)


def short(value: float | str | None) -> str:
    """A number in six cells: `9,999` is `9999`, then `12.3k`, `1.2M`."""
    if value is None:
        return "-"
    if value == UNLIMITED:
        return "unlim"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value < 100 and not value.is_integer():
        return f"{value:.1f}"
    for over, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= over - 0.5:
            part = value / (1e3 if unit == "k" else over)
            return f"{part:.1f}{unit}" if part < 999.95 else f"{part:.0f}{unit}"
    return f"{value:.0f}"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Exactly so many cells; what was cut ends with `~`."""
    made = Text(inert(text).replace("\n", " ").replace("\t", " "))
    if made.cell_len > width:
        return set_cell_size(made.plain, max(width - 1, 0)) + "~"[:width]
    pad = " " * (width - made.cell_len)
    return pad + made.plain if right else made.plain + pad


def _line(text: str, width: int, style: str = "") -> Text:
    return Text(fit(text, width).rstrip(), style)


def _cut(made: Text, width: int) -> Text:
    made.truncate(width)
    return made


def _rates(mail: Mail) -> str:
    parts = (("in", mail.came), ("out", mail.relayed), ("held", mail.held))
    more = (("released", mail.released), ("refused", mail.refused), ("other", mail.other))
    return "a second  " + "  ".join(f"{name} {n / 60:.1f}" for name, n in (*parts, *more))


def _today(traffic: Traffic) -> str:
    unlimited = f" ({traffic.unlimited:,} without a limit)" if traffic.unlimited else ""
    held = "-" if traffic.held is None else f"{traffic.held:,}"
    return (
        f"today     left {traffic.left:,} of {traffic.quota:,}  sent {traffic.used:,}  "
        f"held {held}  {count(traffic.ips, 'IP')}{unlimited}"
    )


def _binds(traffic: Traffic) -> str:
    if not traffic.bound:
        return "binds     nothing: every IP may send" if traffic.ips else "binds     nothing"
    causes = (f"{CAUSES.get(k, k.replace('_', ' '))} {n:,}" for k, n in traffic.binds.items())
    return f"binds     {traffic.bound:,} of {count(traffic.ips, 'IP')}: {'  '.join(causes)}"


def _alerts(found: Sequence[AlertView] | None, width: int) -> list[Text]:
    if found is None:
        return []
    if not found:
        return [_line("alerts    none", width)]
    made = [
        _line(f"{one.severity:<9} {one.what}", width, "red" if one.severity == "critical" else "")
        for one in found[:ALERTS]
    ]
    if len(found) > ALERTS:
        made.append(_line(f"alerts    {len(found) - ALERTS} more: sendgate alert list", width))
    return made


def _prompt(shown: Shown) -> str:
    if shown.typing is not None:
        return f"/{shown.typing}_   Enter: filter  Esc: leave it"
    of = "".join(
        f"  {name}: {value}"
        for name, value in (("containing", shown.containing), ("state", shown.state))
        if value
    )
    return f"q quit  ? keys  by {shown.sort}{of}  / filter  c clear  f state  s sort  r turn"
