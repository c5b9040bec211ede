"""Zones of a sending domain, each with one fault; `(D)` is the domain, `(N)` its number."""

import re
import textwrap
from collections.abc import Callable
from typing import NamedTuple

from control.published.subject import PublicKey, Subject
from control.sources.dns import common, own, records
from control.sources.spf import name_of
from control.sources.zone import zone_file

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "q7bT0xKzVw+/" * 28 + "wIDAQAB="
"""In form as one of 2048 bits."""
SPLIT = f'"v=DKIM1; k=rsa; p={KEY[:200]}" "{KEY[200:]}"'

Change = Callable[[str], str]


class Fault(NamedTuple):
    """A zone and what a check says of it; `about` is empty where all is well."""

    name: str
    changes: tuple[Change, ...]
    about: str = ""
    verdict: str = "ok"
    says: str = ""
    pointer: str = "IN PTR mta1.(D)."
    """Of its IPv4 address."""


def drop(pattern: str) -> Change:
    """Without the lines that have it."""

    def made(text: str) -> str:
        lines = text.splitlines()
        kept = [line for line in lines if not re.search(pattern, line)]
        assert kept != lines, pattern
        return "\n".join(kept) + "\n"

    return made


def add(line: str) -> Change:
    """With one more line, or several."""
    return lambda text: f"{text}{line}\n"


def turn(old: str, new: str) -> Change:
    """With something else in its place."""

    def made(text: str) -> str:
        assert re.search(old, text), old
        return re.sub(old, new, text)

    return made


def spf(terms: str) -> Change:
    """Another record of the domain's own."""
    strings = textwrap.wrap(f"v=spf1 {terms}", 100, drop_whitespace=False)
    text = " ".join(f'"{one}"' for one in strings)
    return turn(r'IN TXT "v=spf1 include:_spf-acme[^"]*"', f"IN TXT {text}")


def key(text: str) -> Change:
    """Another record at the selector."""
    return turn(r"(sg1\._domainkey\S+ IN TXT) .*", rf"\1 {text}")


OURS = "include:_spf-acme.(D)"
ELEVEN = " ".join(f"include:i{n}.(D)" for n in range(11))
INCLUDED = add("\n".join(f'i{n}.(D). IN TXT "v=spf1 -all"' for n in range(11)))
LONG = " ".join(f"ip4:198.51.100.{n}" for n in range(100, 130))
KEYLESS = drop("_domainkey")

FAULTS = [
    Fault("whole", ()),
    Fault("no SPF", (drop(r'^f\S+ IN TXT "v=spf1'),), "SPF", "error", "no SPF record"),
    Fault("two SPF", (add('(D). IN TXT "v=spf1 -all"'),), "SPF", "error", "2 SPF records"),
    Fault("SPF wrong", (spf("ipv4:192.0.2.1 -all"),), "SPF", "error", "ipv4:192.0.2.1"),
    Fault(
        *("IPv4 alone", (turn(" ip6:2001:db8::[0-9a-f]+", ""),), "SPF", "error"),
        r"2001:db8::\w+ of 2 does not pass: softfail",
    ),
    Fault("include gone", (drop("^_spf-acme"),), "SPF", "error", "leads to no SPF record"),
    Fault(
        *("eleven before", (spf(f"{ELEVEN} {OURS} -all"), INCLUDED), "SPF", "error"),
        "permerror .more than 10 look-ups",
    ),
    Fault(
        *("eleven behind", (spf(f"{OURS} {ELEVEN} -all"), INCLUDED), "SPF", "warning"),
        "needs 12 look-ups",
    ),
    Fault(
        *("three void", (spf(f"exists:a.(D) a:b.(D) mx:c.(D) {OURS} -all"),), "SPF", "error"),
        "more than 2 look-ups that find nothing",
    ),
    Fault("two void", (spf(f"exists:a.(D) a:b.(D) {OURS} -all"),)),
    Fault(
        "by a and mx",
        (spf("a:mta1.(D) mx -all"), add("(D). IN MX 10 mta2.(D).")),
    ),
    Fault("by redirect", (spf("redirect=_spf-acme.(D)"),)),
    Fault("by ptr", (spf("ptr -all"),), "SPF", "warning", "ptr is slow"),
    Fault("long", (spf(f"{OURS} {LONG} -all"),), "SPF", "warning", "octets: above 450"),
    Fault("all pass", (turn("~all", "+all"),), "SPF", "warning", "lets everybody"),
    Fault("no all", (turn(" ~all", ""),), "SPF", "warning", "no `all`"),
    Fault(
        *("stranger in it", (turn("(v=spf1) (ip4:.* -all)", r"\1 ip4:203.0.113.9 \2"),)),
        *("SPF", "warning", "another record than that of the pool"),
    ),
    Fault("no key", (KEYLESS,), "DKIM", "error", "no key is published"),
    Fault("other key", (key(SPLIT.replace("q7bT", "r7bT")),), "DKIM", "error", "another key"),
    Fault("revoked", (key('"v=DKIM1; k=rsa; p="'),), "DKIM", "error", "revoked"),
    Fault("cut off", (key(f'"v=DKIM1; p={KEY[:230]}"'),), "DKIM", "error", "cut off after 230"),
    Fault(
        *("two keys", (add(f"sg1._domainkey.(D). IN TXT {SPLIT.replace('q7', 'r7')}"),)),
        *("DKIM", "error", "2 TXT records"),
    ),
    Fault(
        "key of ed25519", (key(SPLIT.replace("k=rsa", "k=ed25519")),), "DKIM", "error", "k=ed25519"
    ),
    Fault("key of sha1", (key(SPLIT.replace("k=rsa", "h=sha1")),), "DKIM", "error", "h=sha1"),
    Fault("no p", (key('"v=DKIM1; k=rsa"'),), "DKIM", "error", "no p="),
    Fault("key for tests", (key(SPLIT.replace("k=rsa", "t=y")),), "DKIM", "warning", "t=y"),
    Fault("blanks in key", (key(SPLIT.replace('" "', ' " " ').replace("k=rsa; ", "")),)),
    Fault(
        "key by CNAME",
        (KEYLESS, add(f"real.(D). IN TXT {SPLIT}\nsg1._domainkey.(D). IN CNAME real.(D).")),
    ),
    Fault(
        "key by CNAME elsewhere",
        (KEYLESS, add("sg1._domainkey.(D). IN CNAME key.elsewhere.example.")),
    ),
    Fault(
        *("CNAME to nothing", (KEYLESS, add("sg1._domainkey.(D). IN CNAME gone.(D)."))),
        *("DKIM", "error", "no key is published"),
    ),
    Fault("no DMARC", (drop("_dmarc"),), "DMARC", "error", "no DMARC record is published"),
    Fault("DMARC wrong", (turn("p=none", "p=noone"),), "DMARC", "error", "p=noone is none of"),
    Fault("DMARC 2", (turn("v=DMARC1", "v=DMARC2"),), "DMARC", "error", "begin with v=DMARC1"),
    Fault(
        *("two DMARC", (add('_dmarc.(D). IN TXT "v=DMARC1; p=reject"'),)),
        *("DMARC", "error", "2 DMARC records"),
    ),
    Fault("DMARC rua", (turn("mailto:", ""),), "DMARC", "error", "mailto:ADDRESS"),
    Fault("no A", (drop(r"^mta1\S+ IN A "),), "A", "error", "has no A record"),
    Fault("other A", (turn("IN A 192.0.2", "IN A 203.0.113"),), "A", "error", "leads elsewhere"),
    Fault("no AAAA", (drop(" IN AAAA "),), "AAAA", "error", "has no AAAA record"),
    Fault("null MX", (add("(D). IN MX 0 ."),), "MX", "error", "takes no mail"),
    Fault("MX", (add("(D). IN MX 10 mta1.(D)."),)),
    Fault("no PTR", (), "PTR", "error", "has no PTR record", pointer=""),
    Fault(
        *("PTR of another name", (add("static.(D). IN A 192.0.2.(N)"),), "PTR", "warning"),
        *(r"called static\S+, and says mta1", "IN PTR static.(D)."),
    ),
    Fault(
        *("PTR to nowhere", (), "PTR", "error", "does not lead back to it", "IN PTR static.(D)."),
    ),
    Fault(
        *("two PTR", (add("other.(D). IN A 192.0.2.(N)"),), "PTR", "warning", "2 PTR records"),
        "IN PTR mta1.(D).\n(R) IN PTR other.(D).",
    ),
]


def subject(number: int, domain: str = "") -> Subject:
    """The domain of a fault, with two IPs of its own."""
    domain = domain or f"f{number}.example"
    ips = [f"192.0.2.{number}", f"2001:db8::{number:x}"]
    hosts = [(ips[0], f"mta1.{domain}"), (ips[1], f"mta2.{domain}")]
    shared = common("acme", domain, ips, hosts)
    made = records(own(domain, shared, selector="sg1", public=KEY), shared)
    return Subject(
        tenant="acme",
        domain=domain,
        include=name_of("acme", domain),
        hosts=hosts,
        keys=[PublicKey("sg1", KEY, "signing")],
        records=made,
    )


def zone(number: int, fault: Fault) -> str:
    """The text of its zone, made from what `domain records` prints."""
    it = subject(number)
    text = zone_file(it.domain, it.records, ["ns.nowhere.invalid"])
    for change in fault.changes:
        text = change(text)
    return text.replace("(D)", it.domain).replace("(N)", str(number))


def pointers(version: int) -> str:
    """PTR records of all faults, as `domain records --reverse` prints them."""
    origin = {4: "2.0.192.in-addr.arpa", 6: "8.b.d.0.1.0.0.2.ip6.arpa"}[version]
    text = zone_file(origin, [], ["ns.nowhere.invalid"])
    for number, fault in enumerate(FAULTS, 1):
        it = subject(number)
        lines = zone_file(origin, it.records, only="PTR")
        if version == 4 and fault.pointer != "IN PTR mta1.(D).":
            lines = re.sub("^([^;$]+) IN PTR .*", rf"\1 {fault.pointer}", lines, flags=re.M)
            lines = lines.replace("(R)", f"{number}.{origin}.").replace("(D)", it.domain)
            lines = lines if fault.pointer else ""
        text += lines
    return text
