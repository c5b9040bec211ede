"""What PowerMTA takes and that reaches a warming IP past the gateways, or opens a door."""

import pytest

from control.pmta.grammar.parse import parse
from control.pmta.warning import Warming, warnings

WARMING = Warming(frozenset({"warm1", "acme"}), frozenset({"192.0.2.1"}))


def warned(text: str) -> list[tuple[int, str]]:
    parsed = parse("main", {"main": text}, lambda *_: [])
    assert not parsed.faults
    return [(found.place.line, found.why) for found in warnings([parsed.file], WARMING)]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("<domain a.example>\nreroute-to-virtual-mta warm1\n</domain>\n", 2, "rerouted"),
        (
            "<virtual-mta b>\n\nbackoff-reroute-to-virtual-mta ACME\n</virtual-mta>\n",
            3,
            "acme warms up, and what backs off elsewhere",
        ),
        ("<virtual-mta b>\ncold-virtual-mta Warm1\n</virtual-mta>\n", 2, "own warm-up diverts"),
        ("<virtual-mta warm1>\ncold-virtual-mta c\n</virtual-mta>\n", 2, "leaves from another"),
        ("<source 10.0.0.1>\ndefault-virtual-mta warm1\n</source>\n", 2, "names no VirtualMTA"),
        ("invalid-virtual-mta-fallback warm1\n", 1, "unknown VirtualMTA"),
        (
            "<pattern-list p>\nmail-from /@a\\.com$/ virtual-mta=warm1\n</pattern-list>\n",
            2,
            "a pattern list chooses it",
        ),
        (
            "<virtual-mta b>\nsmtp-source-host 192.0.2.1 b.example\n</virtual-mta>\n",
            2,
            "192.0.2.1 warms up in another VirtualMTA",
        ),
        (
            "<virtual-mta warm1>\n<domain Gmail.com>\nmax-smtp-out 2\n</domain>\n</virtual-mta>\n",
            2,
            "the queue of gmail.com is gmail.rollup; write <domain gmail.rollup>",
        ),
        ("<domain outlook.com>\nmax-smtp-out 2\n</domain>\n", 1, "without effect"),
        ("<mx-rollup-list>\nmx *.a.example a.rollup\n</mx-rollup-list>\n", 1, "takes one"),
        ("http-access 0/0 admin\n", 1, "whoever reaches the web monitor is admin"),
        ("http-access ::/0 monitor,deny-logs\n", 1, "is monitor,deny-logs"),
        ("<source 0/0>\nalways-allow-relaying yes\n</source>\n", 1, "an open relay"),
        ("<source 0.0.0.0/0>\nalways-allow-relaying true\n</source>\n", 1, "an open relay"),
        (
            "smtp-listener 0/0:2525 source=in\n<source in>\nalways-allow-relaying yes\n</source>\n",
            1,
            "an open relay for whoever reaches it",
        ),
        ("<source 0/0>\nalways-allow-api-submission yes\n</source>\n", 1, "by the API"),
        (
            "<source 10.0.0.1>\nalways-allow-relaying yes\nprocess-x-virtual-mta yes\n</source>\n",
            1,
            "may name a VirtualMTA that warms up",
        ),
        (
            "<virtual-mta>\n<domain *>\nmax-cold-virtual-mta-msg 5/d\n</domain>\n</virtual-mta>\n",
            3,
            "no cap",
        ),
    ],
)
def test_what_passes_by_the_gateways_or_opens_a_door_is_named(
    text: str, line: int, says: str
) -> None:
    [(at, why)] = warned(text)
    assert at == line
    assert says in why


@pytest.mark.parametrize(
    "text",
    [
        "http-access 127.0.0.1 admin\nhttp-access 0/0 none\n",
        "<source 0/0>\nalways-allow-relaying yes\nalways-allow-relaying no\n</source>\n",
        "<virtual-mta warm1>\nsmtp-source-host 192.0.2.1 w.example\n</virtual-mta>\n",
        "<domain a.example>\nreroute-to-virtual-mta other\n</domain>\n",
        "<source 10.0.0.1>\nprocess-x-virtual-mta yes\n</source>\n",
        "smtp-listener 10.0.0.3:2525\n",
    ],
)
def test_what_does_neither_is_no_warning(text: str) -> None:
    assert warned(text) == []


def test_a_domain_has_its_own_queue_where_nothing_is_rolled_up() -> None:
    text = "<domain gmail.com>\nmax-smtp-out 2\n</domain>\n"
    parsed = parse("main", {"main": text}, lambda *_: [])
    assert warnings([parsed.file], WARMING, rollups=False) == []
    for other in ("gmail.rollup", "example.com", "*", "orange.fr"):
        assert warned(text.replace("gmail.com", other)) == []
