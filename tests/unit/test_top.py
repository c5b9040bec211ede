"""What `sendgate top` shows and how keys change it: pure."""

from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from control.alerts.alert import AlertView
from control.cli.topkeys import LONGEST, SORTS, Shown, named, pressed
from control.cli.topview import COLUMNS, Picture, columns_in, fit, lines, short
from control.explain.standing import Mail
from control.traffic.traffic import (
    IpTraffic,
    Seen,
    Traffic,
    TrafficQuery,
    matching,
    order_of,
    ordered,
    sums,
    text_of,
)
from policy.model import UNLIMITED


def row(ip: str = "192.0.2.1", **changes: Any) -> IpTraffic:
    given: dict[str, Any] = {
        "tenant": "acme",
        "ip": ip,
        "vmta": "vmta-1",
        "state": "warming",
        "stage": 3,
        "stages": 6,
        "quota": 500,
        "used": 120,
        "opening": 0,
        "left": 380,
        "now": 20,
        "held": 7,
        "rate": 12.5,
        "delivered": 100,
        "bounced": 2,
        "deferred": 5,
        "next_free": "",
        "why": "",
    }
    return IpTraffic(**{**given, **changes})


def seen(of: IpTraffic, cause: str = "") -> Seen:
    return Seen(of, 0.0, order_of(of.ip), text_of(of.ip, of.vmta, of.tenant), cause)


def traffic(*rows: IpTraffic, **changes: Any) -> Traffic:
    found = [seen(one, "ip_quota" if one.why else "") for one in rows]
    given: dict[str, Any] = {
        "at": "2026-11-30T15:49:28Z",
        "stopped": None,
        "mail": Mail(came=120, relayed=60),
        "held": 7,
        "known": len(rows),
        "all": len(rows),
        "age": 0.0,
        "rows": list(rows),
    }
    return Traffic(**{**given, **sums(found), **changes})


def alert(what: str, severity: str = "warning") -> AlertView:
    fields = {field.name: "" for field in msgspec.structs.fields(AlertView)}
    numbers: dict[str, Any] = dict.fromkeys(("id", "count", "returned", "told", "waiting"), 0)
    nothing: dict[str, Any] = dict.fromkeys(("absent", "recovered", "acknowledged", "muted"))
    return AlertView(**{**fields, **numbers, **nothing, "what": what, "severity": severity})


def text(picture: Picture, width: int = 80, height: int = 24, **shown: Any) -> list[str]:
    made = lines(picture, Shown(**shown), width, height)
    return [line.plain for line in made]


@pytest.mark.parametrize("width", [1, 20, 40, 80, 81, 120, 200])
@pytest.mark.parametrize("height", [1, 3, 10, 24])
def test_nothing_is_wider_or_longer_than_the_screen(width: int, height: int) -> None:
    hostile = row(
        "2001:db8:1111:2222:3333:4444:5555:6666",
        vmta="\x1b[2J\u202eevil",
        tenant="公司公司公司公司",
        why="said \r\n\x07 so",
    )
    picture = Picture(
        traffic=traffic(row(), hostile),
        alerts=[alert("\x1b]0;pwned\x07 a very long alert " * 5)] * 5,
        away="no control API answers\nat all",
    )
    for shown in (Shown(), Shown(help=True), Shown(typing="x" * LONGEST), Shown(offset=5)):
        made = lines(picture, shown, width, height)
        assert len(made) <= height
        for line in made:
            assert cell_len(line.plain) <= width
            assert not set(line.plain) & set("\x1b\x07\r\n\u202e")


def test_eighty_columns_have_all_that_changes() -> None:
    heads = [one.key for one in columns_in(80)]
    assert heads == [
        *("ip", "state", "stage", "quota", "used", "left", "held", "rate", "bounced", "deferred")
    ]
    assert [one.key for one in columns_in(60)][:2] == ["ip", "state"]
    assert len(columns_in(200)) == len(COLUMNS)
    assert [one.key for one in columns_in(1)] == ["ip"]


def test_the_picture() -> None:
    full = row("192.0.2.2", left=0, used=500, why="the daily quota of vmta-2 is used up")
    shown = text(Picture(traffic=traffic(row(), full), alerts=[]))
    assert shown[0] == "sendgate top  2026-11-30 15:49:28 UTC  2 IPs"
    assert shown[1].startswith("a second  in 2.0  out 1.0  held 0.0")
    assert shown[2] == "today     left 380 of 1,000  sent 620  held 7  2 IPs"
    assert shown[3] == "binds     1 of 2 IPs: quota 1"
    assert shown[4] == "alerts    none"
    assert shown[5].split() == [
        *("IP", "state", "stage", "quota", "used", "left", "held", "rate/m", "bounce", "defer")
    ]
    assert shown[6].split() == [
        *("192.0.2.1", "warming", "3/6", "500", "120", "380", "7", "12.5", "2", "5")
    ]
    assert shown[-1].startswith("q quit")
    assert len(shown) == 24


def test_what_is_not_known_or_not_of_now_is_said() -> None:
    assert text(Picture())[0] == "sendgate top: asking control …"
    shown = text(Picture(traffic=traffic(row(), known=1, all=5002), away="nobody answers"))
    assert shown[0] == "no picture of now, nobody answers"
    assert "5002 IPs, 1 of them known so far" in shown[1].replace(",002", "002")
    assert "192.0.2.1" in "\n".join(shown)
    own = text(Picture(traffic=traffic(row(), mail=None)))
    assert not any(line.startswith(("a second", "alerts")) for line in own)
    assert "no IP matches" in text(Picture(traffic=traffic()), state="paused")
    assert "there is no IP" in text(Picture(traffic=traffic()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(None, "-"), (UNLIMITED, "unlim"), (0, "0"), (9_999, "9999"), (10_000, "10.0k")],
        *[(999_949, "999.9k"), (999_950, "1000k"), (1_000_000, "1.0M"), (1_234_567_890, "1.2G")],
        *[(12.5, "12.5"), (0.0, "0"), (123.4, "123"), (9_999.6, "10.0k")],
    ],
)
def test_numbers_fit_six_cells(value: Any, expected: str) -> None:
    assert short(value) == expected
    assert len(expected) <= 6


def test_a_text_is_cut_by_its_cells() -> None:
    assert fit("公司公司", 5) == "公司~"
    assert fit("公司公司", 4) == "公 ~"
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abcdef", 1) == "~"
    assert fit("abcdef", 0) == ""


def test_sorting_and_filters() -> None:
    found = [
        seen(row("192.0.2.10", used=5, vmta="b", left=UNLIMITED, quota=UNLIMITED)),
        seen(row("192.0.2.9", used=7, vmta="a", state="paused")),
        seen(row("2001:db8::1", used=6, vmta="c", tenant="globex", stage=None)),
    ]

    def ips(**asked: Any) -> list[str]:
        wanted = TrafficQuery(**asked)
        return [one.row.ip for one in ordered(matching(found, wanted), wanted.sort)]

    assert ips() == ["192.0.2.9", "2001:db8::1", "192.0.2.10"]
    assert ips(sort="ip") == ["192.0.2.9", "192.0.2.10", "2001:db8::1"]
    assert ips(sort="-left")[0] == "192.0.2.10"
    assert ips(sort="-stage")[0] == "2001:db8::1"
    assert ips(containing="GLOB") == ["2001:db8::1"]
    assert ips(containing="192.0.2.1") == ["192.0.2.10"]
    assert ips(state="paused") == ["192.0.2.9"]
    assert ips(tenant="acme", sort="vmta") == ["192.0.2.9", "192.0.2.10"]
    assert sums(found)["unlimited"] == 1
    assert sums(found)["states"] == {"paused": 1, "warming": 2}


def test_what_a_terminal_sends_is_keys() -> None:
    assert named("q") == ["q"]
    assert named("\x1b[A\x1b[6~\x1bOBx") == ["up", "pagedown", "down", "x"]
    assert named("\x1b") == ["escape"]
    assert named("/ä\r\x7f") == ["/", "ä", "enter", "back"]
    # A mouse, a paste and a control character are no keys of ours.
    assert named("\x1b[<0;1;1M\x1b[200~\x01") == []


def test_keys_change_what_is_shown() -> None:
    def after(shown: Shown, *keys: str) -> Shown:
        for key in keys:
            found = pressed(shown, key, 10)
            assert found is not None
            shown = found
        return shown

    start = Shown()
    assert pressed(start, "q", 10) is None
    assert after(start, "s").sort == "-left"
    assert after(start, "s", "S").sort == "-used"
    assert after(start, "r").sort == "used"
    assert {after(start, *["s"] * n).sort.removeprefix("-") for n in range(12)} == set(SORTS)
    assert after(start, "down", "j", "pagedown", "up").offset == 11
    assert after(start, "up").offset == 0
    assert after(start, "f").state == "new"
    assert after(start, *["f"] * 6).state == ""
    typed = after(start, "/", "q", "x", "back", "9")
    assert (typed.typing, typed.containing) == ("q9", "")
    assert after(typed, "enter").containing == "q9"
    assert after(typed, "escape") == start
    assert after(typed, "enter", "c") == start
    assert after(start, "?").help
    assert after(start, "?", "x") == start
    long = after(start, "/", *["x"] * (LONGEST + 5))
    assert long.typing == "x" * LONGEST
