"""The stand-in's directives: what the guide has is taken where it belongs, and nothing else."""

import re
from collections import Counter
from pathlib import Path

import pytest

from loadtest.pmta.config import load
from loadtest.pmta.directives import check
from loadtest.pmta.form import refusal
from loadtest.pmta.grammar import ConfigError, parse
from loadtest.pmta.table import GLOBAL, Row, rows, table

REAL = """
total-max-smtp-in 110
postmaster you@your.example
spool-max-recipients auto
smtp-server-tls-certificate /etc/pmta/cert.pem SkJkemI0zffkez
smtp-source-host 10/8 baz.example
smtp-listener 1.2.3.4:25 source=mta1
custom-dsn-from-header "Postmaster <foobar@there.example>"
domain-macro topLevel com, de, co.uk
relay-address /@foo(bar)?\\.com$/
pickup /opt/pickup/new /opt/pickup/bad
http-access 10.0.0.0/8 monitor,deny-logs
http-access 0/0 none # nobody else
http-api-key abcd_0123_abcd_0123_abcd_0123_ab
log-file /var/log/pmta/pmta.log
mx-connection-limit *.google.example 5
ip-connection-limit 173.194/16 50
source {auth}: require-starttls-before-auth yes
source 10.0.0.5: smtp-max-auth-failure-rate 3/5m
source 0/0: remove-header "X-One, X-Two"
source 0/0: add-date-header override
source 0/0: max-message-size 40K
source fd00::/8: suppression-lists one,two
source-group local: reserved-smtp-in 5
smtp-user foo: authentication-method certificate
domain *.example.com: max-msg-rate 83/10m
domain [*.]example.com: retry-after 10m,10m,1h,12h
domain [10.0.0.0/8]: max-data-volume-rate 1024K/15s
domain *: max-cold-virtual-mta-msg 50/day,100/d
domain *: dkim-sign if-x-dkim-options-present
domain *: dkim-headers foo, /bar, baz/
domain *: second-dkim-identity @esp.example
domain *: smtp-hosts h1.example, [10.1.1.1]:2525; lookup-mx:x.example
domain *: backoff-notify ""
domain *: bounce-upon-no-mx 30m
domain *: bounce-after 1w2d12h
domain *: command "/my/processor --envid \\"$envid\\""
domain *: http-delivery-url https://[2001:db8::1]:8181/api/v1
domain {sparkpost}: auth-password d41d8cd98f00b204
domain b\u00fccher.example: log-commands yes
virtual-mta v: max-smtp-msg-rate 6/sec
virtual-mta v: domain-key test, example.com, /etc/pmta/test.pem
virtual-mta-pool p: cold-virtual-mta cold
acct-file /var/log/a.csv: records d, b, t, tq, r, rb, rs, f
acct-file |/usr/bin/read --all: retry-interval 10m
acct-file a.csv: record-fields delivery *,!orcpt,header_Message-Id
acct-file a.csv: map-header-to-field b header_x-foo rcpt
acct-file a.csv: queue-filter a.com/v1,![*.]b.com/*,!*/v3
acct-file a.csv: privacy-policy siphash "secret"
smtp-pattern-list b: reply /TS03 \\x23/ mode=backoff,disable-source-ip,reenable-after=1h
smtp-pattern-list b: reply /(?-i)say \\"no\\"/ bounce-queue
bounce-category-patterns: /mailbox +(is +)?full/ quota-issues
bounce-category-patterns: // other
pattern-list l: rcpt-to /special@x.example/ virtual-mta=high, recipient-priority=60
mx-rollup-list: mx *.outlook.example outlook.rollup rollup-by-ip
rewrite-list r: mail-from <> bounce@x.example
address-list l: address foo
smtp-listener 0/0:25: immediate-tls true
spool /var/spool/pmta: min-free-space 1G
dns: precached-refresh-interval 2m
signals: api-key 0123456789abcdef012345678901234567890123
signals-filter l: sender-or-from *.x.example enable-signals,subaccount=100
proxy p: client 16.70.55.233:0 client.example
aliases: alias jdoe someone@example.com,other@example.com
""".strip().split("\n")

# Line: what the one line of refusal says. Names that only the web knows, places, forms.
WRONG = {
    "throttle 10": "unknown directive 'throttle'",
    "routing-file /etc/pmta/routes": "unknown directive 'routing-file'",
    "max-msg-rat 5/h": "did you mean max-msg-rate?",
    "smtp-listener {": "invalid value '{'",
    "smtp-listener 0.0.0.0:2525 tls=no": "invalid value 'tls=no', expected source=NAME",
    "smtp-source-host mail.example 192.0.2.1": "invalid value 'mail.example'",
    "smtp-source-host 192.0.2.1 192.0.2.2": "invalid value '192.0.2.2', expected a host name",
    "smtp-source-host 192.0.2.1": "argument missing for 'smtp-source-host'",
    "max-msg-rate 5/h": "only in <domain>",
    "always-allow-relaying yes": "only in <source>",
    "sync-msg-create no": "unknown directive",
    "edns-udp-length 512": "unknown directive",
    "http-access monitor 10/8": "invalid value 'monitor', expected an IP address or CIDR",
    "http-access 0/0 write": "expected none or monitor",
    "http-api-key short": "32 to 128",
    "log-file pmta.log": "an absolute path",
    "run-as-root maybe": "invalid value 'maybe', expected yes or no",
    "limits: host-name x": "unknown block <limits>",
    "bounce-log: host-name x": "unknown block <bounce-log>",
    "rcpt-list l: address x": "unknown block <rcpt-list>",
    "virtual-mta v: max-msg-rate 5/h": "may not stand in <virtual-mta>, only in <domain>",
    "virtual-mta v: throttle 5/h": "unknown directive 'throttle' in <virtual-mta>",
    "virtual-mta v: auto-cold-virtual-mta 192.0.2.1 h.example": "unknown directive",
    "virtual-mta v: cold-virtual-mta 10/8 h.example": "invalid value '10/8'",
    "virtual-mta-pool p: virtual-mta v weight 3": "unexpected 'weight 3'",
    "virtual-mta-pool p: domain-selection round-robin": "unknown directive",
    "virtual-mta-pool p: smtp-source-host 192.0.2.1 h.example": "only in the global part or",
    "acct-file a.csv: records all": "invalid value 'all'",
    "acct-file a.csv: rotate-period 1d": "unknown directive 'rotate-period'",
    "acct-file a.csv: format csv": "unknown directive 'format'",
    "acct-file a.csv: max-size 1K": "a size such as 10M from 1M",
    "acct-file a.csv: record-fields d sender": "FIELD of the accounting file",
    "acct-file a.csv: map-header-to-field tq header_x rcpt": "invalid value 'tq'",
    "acct-file a.csv: move-interval daily": "an interval such as 1d12h",
    "source 0/0: max-smtp-out 5": "may not stand in <source>",
    "source 10.0.0.300: smtp-service yes": "invalid value '10.0.0.300'",
    "source {nobody}: smtp-service yes": "invalid value '{nobody}'",
    "source 0/0: max-message-size 40KB": "invalid value '40KB'",
    "source 0/0: remove-received-headers yes": "unknown directive",
    "domain *: max-msg-rate 100/hour": "a rate such as 100/15m",
    "domain *: max-msg-rate 0/h": "a rate such as 100/15m",
    "domain *: max-msg-rate 100/h burst": "unexpected 'burst'",
    "domain *: retry-after 10m;1h": "an interval such as 1d12h",
    "domain *: connection-idle-timeout 11m": "up to 10m",
    "domain *: queue-priority 101": "from 0 to 100",
    "domain *: max-msg-rate \"\"": "invalid value",
    "domain a..b: type smtp": "a domain pattern",
    "domain *: http-delivery-url https://u:p@x.example/": "http(s)://",
    "domain *: backoff-notify me": "an address such as a@example.com",
    "smtp-pattern-list b: reply TS03 mode=backoff": "a regular expression between slashes",
    "smtp-pattern-list b: reply /half a pattern": "a regular expression between slashes",
    "smtp-pattern-list b: reply /a/ mode=backoff,mode=normal": "what does not conflict",
    "smtp-pattern-list b: reply /a/ reenable-after=1h": "what does not conflict",
    "smtp-pattern-list b: /a/ mode=backoff": "only in <bounce-category-patterns>",
    "bounce-category-patterns: /a/": "argument missing",
    "mx-rollup-list: mx *.x.example x.queue": "NAME.rollup",
    "address-list l: address ^fbl@x$": "invalid value '^fbl@x$'",
    "domain *: smtp-pattern-list b c": "unexpected 'c'",
    "spool /s: priority 0": "from 1 to 100",
    "domain *: domain-key s,d.example,/k.pem": "may not stand in <domain>",
}  # fmt: skip


def config(line: str) -> str:
    """`BLOCK: LINE` as a file; a line without a block stands for itself."""
    block = re.match(r"(\{?[a-z-]+(?: \S+(?: --\S+)?)?): (.*)", line)
    name, text = ("", line) if block is None else block.groups()
    if not name or f"<{name.split()[0]}>" not in {row.name for row in rows()} | {
        "<limits>", "<bounce-log>", "<rcpt-list>",
    }:  # fmt: skip
        return line + "\n"
    return f"<{name}>\n{text}\n</{name.split()[0]}>\n"


@pytest.mark.parametrize("line", REAL)
def test_what_the_guide_has_is_taken_where_it_has_it(tmp_path: Path, line: str) -> None:
    (tmp_path / "config").write_text(config(line), encoding="utf-8")
    check(parse(tmp_path / "config"))


@pytest.mark.parametrize(("line", "says"), WRONG.items())
def test_what_it_has_not_is_refused(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "config").write_text("# first line\n" + config(line))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config")
    problem = str(caught.value)
    assert re.match(rf"Error in line [23] of {re.escape(str(tmp_path))}/config: ", problem)
    assert says in problem
    assert "\n" not in problem


EXAMPLE = {
    "BOOLEAN": "yes", "INTEGER": "1", "INTERVAL": "5m", "DAYS": "8d", "SIZE": "10M",
    "RATE": "100/15m", "VOLUME-RATE": "10g/2h", "DAILY": "50/day", "CIDR": "192.0.2.0/24",
    "IP": "2001:db8::1", "ENDPOINT": "0/0:25", "HOST-PORT": "h.example:1", "CLIENT": "192.0.2.1",
    "SOURCE-OPTION": "source=s", "HOST": "h.example", "DOMAIN": "d.example", "NAME": "n",
    "PATTERN": "[*.]d.example", "QUEUE-PATTERN": "*.d.example", "EMAIL": "a@d.example",
    "LOCAL-PART": "a", "IDENTITY": "@d.example", "SOURCE-NAME": "s", "FILE": "/a/b", "PATH": "/a/b",
    "PIPE": "|/a --b", "TEXT": '"a b"', "URL": "https://h.example/a", "REGEX": "/a b\\/c/",
    "HEADER": "X-A", "HEADER-MATCH-LIST": "X-A, /b/", "API-KEY": "a" * 32, "HEX-KEY": "a" * 40,
    "DOMAIN-KEY": "s, *, /k.pem", "MACRO-NAME": "m_1", "MACRO-VALUE": ".co.uk",
    "HOSTS": "a.example,[192.0.2.1]:25; lookup-mx:b.example", "ATTEMPT-RECORD": "tq",
    "RECORD": "rb", "MAPPED-RECORD": "d", "FIELD": "rcpt", "FIELD-CHOICE": "!rcpt",
    "HEADER-FIELD": "header_a", "QUEUE-FILTER": "!*/v", "SIGNALS": "true,subaccount=1",
    "SIGNALS-CHOICE": "disable-signals", "SELECTION": "virtual-mta=v,recipient-priority=9",
    "ACTIONS": "disable-source-ip,reenable-after=1h", "ADDRESS-MATCH": "*@*",
    "ADDRESS-TARGET": "a@*", "ROLLUP": "a.rollup",
}  # fmt: skip


def written(row: Row) -> str:
    """A line, or a block's opening, that `row` allows."""
    words = [re.sub(r"\(.*\)", "", w.strip("[]").split("|")[0]) for w in row.form.split()]
    values = [EXAMPLE.get(word, EXAMPLE.get(word.removesuffix("-LIST"), word)) for word in words]
    if row.name.startswith("<"):
        return f"<{' '.join((row.name[1:-1], *values))}>\n</{row.name[1:-1]}>"
    return " ".join(values if row.name == "/" else (row.name, *values))


def inside(place: str, text: str) -> str:
    """`text` in a block that stands where the table has it."""
    row = next((row for row in rows() if row.name == f"<{place}>"), None)
    if row is None:
        return text
    first, last = written(row).split("\n")
    return inside(row.places[0], f"{first}\n{text}\n{last}")


def test_each_row_is_taken_in_its_places(tmp_path: Path) -> None:
    file = tmp_path / "config"
    taken: Counter[str] = Counter()
    for row in rows():
        for place in row.places:
            if row.name != "include":  # grammar.py reads it
                file.write_text(inside(place, written(row)) + "\n")
                check(parse(file))
                taken[place] += 1
    assert taken[GLOBAL] > 100
    assert taken["domain"] > 100
    assert sum(taken.values()) > 400


def test_each_row_is_refused_in_another_place(tmp_path: Path) -> None:
    file, every = tmp_path / "config", sorted(table())
    for number, row in enumerate(rows()):
        # Places in turn, so that each gets its strangers.
        others = [place for place in every if row.name not in table()[place]]
        file.write_text(inside(others[number % len(others)], written(row)) + "\n")
        with pytest.raises(ConfigError, match="may not stand in"):
            check(parse(file))


def test_the_table_agrees_with_itself() -> None:
    names = {row.name for row in rows()}
    twice = Counter((row.name, place) for row in rows() for place in row.places)
    assert not [key for key, count in twice.items() if count > 1]
    for row in rows():
        assert not (row.default and refusal(row.form, row.default)), row
        assert row.repeats in ("yes", "no", "")
        assert row.instead in names | {"", "none"}, row
        assert re.fullmatch(r"\d+(\.\d+)+|2020", row.section), row
        assert all(place == GLOBAL or f"<{place}>" in names for place in row.places), row


def test_what_the_guide_allows_once_is_refused_twice(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("<acct-file a.csv>\nrecords d\nrecords b\n</acct-file>\n")
    with pytest.raises(ConfigError, match=r"line 3 of .*'records' may be given once"):
        load(file)
    file.write_text("<acct-file a.csv>\nrecord-fields d *\nrecord-fields b *\n</acct-file>\n")
    load(file)
