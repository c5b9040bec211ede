"""The generator's check of its own text, and that it judges as the stand-in does."""

from pathlib import Path

import msgspec
import pytest

from control.pmta.config import pmta_config
from control.pmta.directive import GLOBAL, allowed, problem, rows, why_not
from control.pmta.form import form
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError
from loadtest.pmta.config import load
from policy.model import IpState, Pool
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta

SIGNED = tenant("acme", domains={"acme.example": "acme-pool"})
STACKS = {
    "empty": Generation(number=1, created=0.0),
    "one IP": generation(),
    "two IPs and an empty pool": generation(
        vmta(1),
        vmta(2, state=IpState.RETIRING),
        pools=(
            Pool(name="acme-pool", tenant="acme", members=("vmta-1", "vmta-2")),
            Pool(name="none", tenant="acme"),
        ),
    ),
    "IPv6": generation(vmta(1, ip="2001:db8::1")),
    "signed": generation(vmta(1), tenants=(SIGNED,)),
    "two servers": generation(vmta(1), vmta(2, server="pmta2")),
}


def text(of: Generation) -> str:
    terms = Terms(
        gateways=("127.0.0.1", "10.0.0.0/8", "2001:db8::/32"),
        accounting="/var/log/pmta",
        system_host="gate.example",
        keys="/etc/pmta/keys",
        selectors={("acme", "acme.example"): "sg202603"},
        bounces=("b+x@b.example", "@c.example"),
        complaints=("fbl@b.example",),
        wall=3.0,
        categories=True,
    )
    return pmta_config(of, terms, "pmta1").whole()


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_generated_loads_in_the_stand_in(tmp_path: Path, stack: str) -> None:
    written = text(STACKS[stack])
    assert problem(written) is None
    (tmp_path / "config").write_text(written)
    load(tmp_path / "config")


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("sync yes", "sync always", "'always' is not BOOLEAN (sync)"),
        ("world-readable", "world-read", "world-read may not stand in acct-file"),
        ("type discard", "type dismiss", "'dismiss' is not smtp|pipe"),
        ("192.0.2.1 mail1.acme.test", "mail1.acme.test 192.0.2.1", "is not CIDR HOST"),
        ("192.0.2.1 mail1.acme.test", "192.0.2.1 192.0.2.2", "is not CIDR HOST"),
        ("records r,d", "records all,d", "is not RECORD-LIST"),
        ("<source 0/0>", "<source>", "'' is not CIDR|SOURCE-NAME"),
        ("host-name gate", "max-msg-rate 5/h\nhost-name gate", "may not stand in virtual-mta"),
        ("</acct-file>", "", "<acct-file> is never closed"),
        ("</acct-file>", "</acct-file>\n</acct-file>", "closes nothing"),
    ],
)
def test_what_powermta_would_refuse_is_found(good: str, bad: str, says: str) -> None:
    whole = text(STACKS["one IP"])
    assert problem(whole) is None
    found = problem(whole.replace(good, bad, 1))
    assert found is not None
    assert says in found


def test_a_value_powermta_would_refuse_is_one_clear_error() -> None:
    named = msgspec.structs.replace(STACKS["one IP"].vmtas[0], host_name="192.0.2.7")
    wrong = msgspec.structs.replace(STACKS["one IP"], vmtas=(named,))
    with pytest.raises(ConfigValueError, match=r"'192.0.2.1 192.0.2.7' is not CIDR HOST"):
        text(wrong)


@pytest.mark.parametrize(
    ("place", "name", "argument"),
    [
        ("domain", "Max-Msg-Rate", "100/15m"),
        ("Domain", "queue-to", '"hotmail.queue"'),
        (GLOBAL, "<domain>", "aol.$com"),
        (GLOBAL, "SMTP-Listener", "0/0:2525"),
        (GLOBAL, "spool", "/var/spool/pmta"),
        (GLOBAL, "smtp-source-host", "192.0.2.1  mail.example"),
        (GLOBAL, "custom-dsn-from-header", '"Postmaster <a@b.example>"'),
        ("bounce-category-patterns", "/", "/mailbox +(is +)?full/ quota-issues"),
        ("pattern-list", "<pattern-list>", ""),
        ("domain", "dk-sign", "yes"),
        (GLOBAL, "log-file", "log\\pmta.log"),
        (GLOBAL, "relay-domain", "yahoo.$topLevel"),
        (GLOBAL, "domain-key", "{selector}, {domain}, {vault}:/v1/keys/data/${selector}:dk"),
        ("virtual-mta", "domain-key", "m2,$topDomain.$topLevel,/etc/pmta/m.pem"),
        ("virtual-mta", "smtp-proxy-source-host", "10/8 p.example:5000 10.1.2.3 b.example"),
        ("smtp-pattern-list", "reply", "/^421/ mode=backoff,backoff-to-normal-after=10m"),
        ("acct-file", "max-size", "50K"),
    ],
)
def test_what_a_configuration_may_say_is_not_objected_to(
    place: str, name: str, argument: str
) -> None:
    assert why_not(place, name, argument) == ""


@pytest.mark.parametrize(
    ("place", "name", "argument", "says"),
    [
        (
            "virtual-mta",
            "max-msg-rate",
            "5/h",
            "max-msg-rate may not stand in virtual-mta, only in domain",
        ),
        (
            "domain",
            "process-x-job",
            "yes",
            "process-x-job may not stand in domain, only in source",
        ),
        (
            "acct-file",
            "rotate-period",
            "1d",
            "rotate-period may not stand in acct-file: the guide does not have it",
        ),
        (
            GLOBAL,
            "smtp-source-host",
            "mail.example 192.0.2.1",
            "'mail.example 192.0.2.1' is not CIDR HOST (smtp-source-host)",
        ),
        (
            "smtp-pattern-list",
            "reply",
            "/a/ backoff-to-normal-after=10m",
            "'/a/ backoff-to-normal-after=10m' is not REGEX ACTIONS or REGEX LATER-ACTIONS (reply)",
        ),
        (
            "acct-file",
            "max-size",
            "49K",
            "'49K' is not SIZE(1M..) or SIZE(50K..10M) (max-size)",
        ),
        ("domain", "queue-priority", "101", "'101' is not INTEGER(0..100) (queue-priority)"),
        ("feedback-loop-processor", "<email-patterns>", "x", "'x' is not empty (<email-patterns>)"),
        (GLOBAL, "<limits>", "", "<limits> may not stand in global: the guide does not have it"),
    ],
)
def test_the_places_or_the_form_are_named(place: str, name: str, argument: str, says: str) -> None:
    assert why_not(place, name, argument) == says


def test_the_table_agrees_with_itself() -> None:
    names = {row.name for row in rows()}
    for row in rows():
        assert row.name == row.name.lower()
        assert row.instead in names | {"", "none"}, row
        assert not row.default or form(row.form).fits(row.default), row
        assert row.repeats in ("yes", "no", "")
        assert all(place == GLOBAL or f"<{place}>" in names for place in row.places), row
        assert all(row in allowed(place, row.name) for place in row.places), row


def test_deprecated_spellings_name_what_is_written_instead() -> None:
    deprecated = {row.name: row.instead for row in rows() if row.instead}
    assert deprecated["spool"] == "<spool>"
    assert deprecated["dk-sign"] == "dkim-sign"
    assert deprecated["route"] == "smtp-hosts"
    assert deprecated["broken-auth-clients"] == "none"
    assert "smtp-listener" not in deprecated
