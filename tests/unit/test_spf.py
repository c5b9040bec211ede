"""SPF of a pool, read back as a receiver reads it: octets, look-ups, and who passes."""

import ipaddress
import random
from collections.abc import Iterable

import pytest

from control.sources.dns import Record, common, own, records, zone_text
from control.sources.spf import LABEL, LONGEST_DOMAIN, lines

LONG = ".".join(["a" * 49, "b" * 49, "c" * 49, "d" * 10])
assert len(LONG) == LONGEST_DOMAIN


def v4(count: int) -> list[str]:
    """Addresses of which no two are neighbours, all written as long as they get."""
    return [f"203.0.{113 + n // 100}.{100 + n % 100}" for n in range(0, 2 * count, 2)][:count]


def v6(count: int) -> list[str]:
    return [f"2001:db81:1111:2222:3333:4444:5555:{0x1000 + 2 * n:x}" for n in range(count)]


def published(
    ips: Iterable[str], *, domain: str = "news.example.com", pool: str = "acme"
) -> list[Record]:
    shared = common(pool, domain, list(ips), [])
    return records(own(domain, shared, selector="sg202601", public="A" * 392), shared)


class Receiver:
    """What RFC 7208 lets a receiver do with the records it finds; counts its look-ups."""

    def __init__(self, found: list[Record]) -> None:
        self.texts = {r.name: r.value for r in found if r.type == "TXT" and "spf1" in r.value}
        self.hosts = {r.name for r in found if r.type == "A"}
        self.asked = 0

    def check(self, domain: str, ip: str) -> str:
        address = ipaddress.ip_address(ip)
        for term in self.texts[domain].split()[1:]:
            if term in ("-all", "~all"):
                return "fail" if term == "-all" else "softfail"
            kind, _, value = term.partition(":")
            if kind in ("ip4", "ip6"):
                network = ipaddress.ip_network(value)
                passed = address.version == network.version and address in network
            else:
                self.asked += 1
                assert self.asked <= 10, "permerror"
                if kind == "include":
                    passed = self.check(value, ip) == "pass"
                else:
                    assert kind == "exists"
                    passed = self._expanded(value, address) in self.hosts
            if passed:
                return "pass"
        return "neutral"

    @staticmethod
    def _expanded(value: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        digits = address.exploded.replace(":", "")
        parts = digits.split(".") if address.version == 4 else list(digits)
        kind = "in-addr" if address.version == 4 else "ip6"
        name = value.replace("%{ir}", ".".join(reversed(parts))).replace("%{v}", kind)
        assert len(name) <= 253
        return name


CASES = [
    (ips, count) for ips in (v4, v6) for count in (1, 10, 21, 22, 50, 54, 63, 64, 90, 147, 148, 500)
]


@pytest.mark.parametrize("domain", ["news.example.com", LONG], ids=["short", "long"])
@pytest.mark.parametrize(("make", "count"), CASES)
def test_every_ip_passes_and_no_other_within_the_bounds_of_rfc_7208(
    make: object, count: int, domain: str
) -> None:
    assert callable(make)
    ips = make(count)
    found = published(ips, domain=domain)
    for record in found:
        assert len(record.name) <= 253
        assert all(0 < len(label) <= LABEL for label in record.name.split("."))
        if record.type == "TXT":
            strings = zone_text(record).split('"')[1::2]
            assert all(len(string) <= 255 for string in strings)
            assert "".join(strings) == record.value
            if record.value.startswith("v=spf1"):
                assert len(record.value) <= 450
    assert sum("spf1" in r.value for r in found) == len(Receiver(found).texts), "one a name"
    for ip in ips:
        receiver = Receiver(found)
        assert receiver.check(domain, ip) == "pass"
        assert receiver.asked <= 8
        near = str(ipaddress.ip_address(ip) + 1)
        receiver = Receiver(found)
        assert receiver.check(domain, near) == "softfail"
        assert receiver.asked <= 8


@pytest.mark.parametrize(
    ("ips", "spf"),
    [
        (v4(1), 1),
        (v4(10), 1),
        (v4(50), 4),  # three parts and what includes them
        (v4(500), 1),  # and an A record each
        (v6(10), 3),
        (v6(50), 7),
        (v6(500), 1),
        ([f"198.51.{n // 256}.{n % 256}" for n in range(500)], 1),  # a range has few prefixes
    ],
    ids=lambda value: str(len(value)) if isinstance(value, list) else None,
)
def test_a_pool_has_as_few_records_as_it_needs(ips: list[str], spf: int) -> None:
    found = lines("_spf-acme.example.com", ips)
    assert sum(kind == "TXT" for _, kind, _ in found) == spf
    assert found[-1][0] == "_spf-acme.example.com", "published last: the others exist by then"


@pytest.mark.parametrize("make", [v4, v6])
def test_an_ip_that_is_added_moves_no_other_to_another_record(make: object) -> None:
    assert callable(make)
    ips = make(54)
    random.Random(7).shuffle(ips)
    before: dict[str, str] = {}
    for count in range(1, len(ips)):
        now = {n: text for n, _, text in lines("p.example", ips[:count]) if n != "p.example"}
        if not now or not before:
            before = now
            continue
        changed = [n for n in before if before[n] != now.get(n)]
        assert changed in ([], [f"{len(before)}.p.example"]), "only the last part"
        before = now


def test_a_pool_whose_name_makes_no_label_has_another() -> None:
    for pool in ("a" * 64, "a..b", "end.", "x" * 59):
        found = published(v4(30), pool=pool)
        for record in found:
            assert all(0 < len(label) <= LABEL for label in record.name.split("."))
        assert Receiver(found).check("news.example.com", v4(30)[29]) == "pass"
    two = {published(v4(1), pool=pool)[0].name for pool in ("a" * 64, "a" * 63 + "b", "a.b")}
    assert len(two) == 3


def test_a_pool_without_ips_lets_nobody_pass() -> None:
    assert lines("p.example", []) == [("p.example", "TXT", "v=spf1 -all")]
