"""The generator's check of its own text, and that it judges as the stand-in does."""

from pathlib import Path

import msgspec
import pytest

from control.pmta.config import ConfigValueError, pmta_config
from control.pmta.directive import fitting, problem, rows
from loadtest.pmta.config import load
from loadtest.pmta.form import refusal
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
    return pmta_config(
        of,
        gateways=["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"],
        accounting="/var/log/pmta",
        server="pmta1",
        system_host="gate.example",
        keys="/etc/pmta/keys",
        selectors={("acme", "acme.example"): "sg202603"},
        bounces=["b+x@b.example", "@c.example"],
        complaints=["fbl@b.example"],
    )


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_generated_loads_in_the_stand_in(tmp_path: Path, stack: str) -> None:
    written = text(STACKS[stack])
    assert problem(written) is None
    (tmp_path / "config").write_text(written)
    load(tmp_path / "config")


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("sync yes", "sync always", "line 87: 'always' is not BOOLEAN (sync)"),
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


SAMPLES = """
yes|NO|maybe|0|1|10M|10|1M|10MB|unlimited|never|auto|1d12h|1w2d|12|1x|100/h|100/15m|0/h|5/hour
50/day|50/day,100/d|10.0.0.0/8|10/8|0/0|192.0.2.1|2001:db8::1|10.0.0.300|192.0.2.0/33
192.0.2.1 mail.example|mail.example 192.0.2.1|10/8 mail.example|192.0.2.1 192.0.2.2|192.0.2.1
mail.example|mail..example|a b|a,b|"a"|*|*.example.com|[*.]example.com|[10.0.0.0/8]|{default}
{auth}|{nobody}|a@b.example|@b.example|/a b/|/half|/a/ mode=backoff|d|d,b|d, b|all|tq|d rcpt,!orcpt
d *,header_Message-Id|/var/log/a.csv||/bin/a --b|s,*,/k.pem|s, d.example, /k.pem|s,d.example
0.0.0.0:25|0.0.0.0:25 source=s|0.0.0.0:25 tls=no|{|0/0 none|0/0 write|monitor 0/0|""|8d
http://h.example/a|ftp://h.example/|*.example.com 5|10/8 5|m .com,$x
abcd_0123_abcd_0123_abcd_0123_ab
""".replace("\n", "|").split("|")


def test_both_readers_of_the_format_judge_alike() -> None:
    forms = {row.form for row in rows() if row.section != "2020"}
    differ = []
    for form in sorted(forms):
        for sample in SAMPLES:
            bare = sample.strip('"') if sample != '""' else sample
            # Bounds and quotes are not the generator's: it writes none.
            if "(" in form or "ACTIONS" in form:
                continue
            ours = fitting(form).fullmatch(bare) is not None
            theirs = refusal(form, bare) is None
            if ours != theirs:
                differ.append((form, bare, ours, theirs))
    assert differ == []
