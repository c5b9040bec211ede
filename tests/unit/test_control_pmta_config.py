"""The generated PowerMTA configuration: a golden file, and what may never be in it."""

from pathlib import Path

import msgspec
import pytest

from control.accounting.fact import NAMES
from control.accounting.identity import Reading
from control.accounting.records import TYPES, split
from control.pmta.config import RECORD_FIELDS, ConfigValueError, pmta_config
from loadtest.pmta.config import load
from loadtest.pmta.grammar import ConfigError
from policy.model import Address, IpState, Pool, Server, Tenant, VirtualMta
from policy.plan import Generation

GOLDEN = Path(__file__).with_name("pmta_config.golden")

INVENTED = (
    "weight", "domain-selection", "format csv", "rotate-period", "<limits>", "throttle",
    "records all", "smtp-listener {", "<bounce-log>", "routing-file",
)  # fmt: skip


def vmta(name: str, ip: str, state: IpState = IpState.WARMING) -> VirtualMta:
    return VirtualMta(
        name=name, ip=ip, host_name=f"{name}.acme.example", server="pmta1", state=state, daily=5
    )


GENERATION = Generation(
    number=1,
    created=0.0,
    servers=(Server(name="pmta1", addresses=(Address(host="127.0.0.1", port=2525),)),),
    vmtas=(
        vmta("vmta-192-0-2-1", "192.0.2.1"),
        vmta("vmta-192-0-2-2", "192.0.2.2", IpState.RETIRING),
        vmta("vmta-2001-db8-1", "2001:db8::1"),
    ),
    pools=(
        Pool(name="acme", tenant="acme", members=("vmta-192-0-2-1", "vmta-2001-db8-1")),
        Pool(name="empty", tenant="acme"),
    ),
    tenants=(
        Tenant(
            name="acme",
            default_pool="acme",
            domains={"acme.example": "acme", "unsigned.example": "acme"},
        ),
    ),
)


def text(generation: Generation = GENERATION) -> str:
    return pmta_config(
        generation,
        gateways=["127.0.0.1", "198.51.100.0/28"],
        accounting="/var/log/pmta",
        system_host="gate.example",
        keys="/etc/pmta/keys",
        selectors={("acme", "acme.example"): "sg202603", ("acme", "gone.example"): "x"},
        bounces=["bounces+x@b.acme.example", "@c.acme.example"],
        complaints=["fbl@acme.example"],
    )


def test_the_configuration_is_the_golden_file() -> None:
    assert text() == GOLDEN.read_text(encoding="utf-8")


def test_no_directive_that_only_the_web_knows() -> None:
    assert not [word for word in INVENTED if word in text()]
    pools = text().split("<virtual-mta-pool")[1:]
    assert not any("<domain" in pool.split("</virtual-mta-pool>")[0] for pool in pools)


@pytest.mark.parametrize("bad", ["a#b", 'a"b', "a'b", "a\nb", "a b", "", "a>b", "é"])
def test_values_powermta_would_read_otherwise_are_refused(bad: str) -> None:
    changed = msgspec.structs.replace(GENERATION.vmtas[0], host_name=bad)
    generation = msgspec.structs.replace(GENERATION, vmtas=(changed,), pools=())
    with pytest.raises(ConfigValueError):
        text(generation)
    with pytest.raises(ConfigValueError):
        pmta_config(GENERATION, gateways=[bad], accounting="/var/log")
    with pytest.raises(ConfigValueError):
        pmta_config(GENERATION, gateways=[], accounting=f"/var/{bad}" if bad else "")


def test_everybody_else_may_still_send_bounces_and_complaints_in() -> None:
    block = text().split("<source 0/0>")[1].split("</source>")[0]
    assert {line.split()[0] for line in block.split("\n") if line.strip()} == {
        "process-x-virtual-mta",
        "process-x-job",
        "process-x-envid",
        "process-x-dkim-options",
        "process-x-dkim-key",
        "process-x-schedule",
    }


def test_without_a_folder_nothing_is_signed_and_no_customer_lends_its_name() -> None:
    plain = pmta_config(GENERATION, gateways=[], accounting="/var/log/pmta")
    assert "dkim" not in plain.split("<source 0/0>")[1].split("</source>")[1]
    assert "domain-key" not in plain
    system = text().split("<virtual-mta sendgate-system>")[1].split("</virtual-mta>")[0]
    assert system.split() == ["host-name", "gate.example"]


def test_a_key_follows_its_domain_into_the_overflow_pool() -> None:
    more = Pool(name="more", tenant="acme", members=("vmta-192-0-2-2",))
    first = msgspec.structs.replace(GENERATION.pools[0], overflow="more")
    blocks = text(msgspec.structs.replace(GENERATION, pools=(first, more)))
    line = "domain-key sg202603,acme.example,/etc/pmta/keys/acme.example.sg202603.pem"
    assert blocks.count(line) == 3


def test_receipts_outlive_a_crash_and_can_be_read_by_control() -> None:
    block = text().split("<acct-file /var/log/pmta/sendgate.csv>")[1].split("</acct-file>")[0]
    lines = [line.strip() for line in block.split("\n")]
    assert {"sync yes", "world-readable yes", "iso-times yes"} <= set(lines)
    assert lines[1].split() == ["records", "r,d,b,t,tq,rb,rs,f"]


READ = {
    "r": {"timequeued", "dsnstatus", "dsndiag", "bouncecat", "dsnaction", "dsnmta", "dlvsourceip"},
    "d": set(),
    "b": set(),
    "t": set(),
}
"""Of the columns that are read, those that the guide has no field for in that type."""


def test_every_type_is_asked_for_with_every_column_that_is_read() -> None:
    assert set(RECORD_FIELDS) == set(TYPES)
    for kind, fields in RECORD_FIELDS.items():
        named = [field.lower() for field in fields.split(",")]
        assert len(set(named)) == len(named), kind
        assert "timelogged" in named
        if kind in READ:
            assert {*NAMES} - {*named} == READ[kind] | {"feedbacktype"}, kind


@pytest.mark.parametrize("kind", TYPES)
def test_a_record_as_it_is_asked_for_is_read(kind: str) -> None:
    """Under the header of all types: their union, the type first, as PowerMTA writes it."""
    union = dict.fromkeys(name for text in RECORD_FIELDS.values() for name in text.split(","))
    values = {name: f"<{name}>" for name in RECORD_FIELDS[kind].split(",")}
    values |= {name: "2026-02-08 21:54:05+0000" for name in values if name.startswith("time")}
    row = ",".join([kind, *(values.get(name, "") for name in union)])
    found = split(f"type,{','.join(union)}\r\n{row}\r\n".encode(), 10, None, last=True)
    assert not found.cuts
    (fact,) = Reading().facts(found.pieces, 0)
    assert fact.kind == kind
    assert fact.at == 1_770_587_645_000
    told = {"rcpt": fact.rcpt, "header_From": fact.author, "header_Message-Id": fact.message_id}
    assert told == {name: values.get(name, "") for name in told}
    assert fact.source_ip == values.get("dlvSourceIp", "")
    assert fact.feedback == values.get("feedbackType", "")


def test_without_addresses_no_domain_becomes_powermtas_own() -> None:
    plain = pmta_config(GENERATION, gateways=[], accounting="/var/log/pmta")
    assert "processor" not in plain
    assert "# rb, rs and f records need `control.pmta_bounces`" in plain


@pytest.mark.parametrize("bad", ["", "a b@c.example", "a@b", "a/b@c.example", "@", "a#@c.example"])
def test_what_is_no_address_of_bounces_is_refused(bad: str) -> None:
    with pytest.raises(ConfigValueError, match="neither ADDRESS@DOMAIN nor @DOMAIN"):
        pmta_config(GENERATION, gateways=[], accounting="/var/log/pmta", bounces=[bad])


def test_the_stand_in_takes_exactly_this_grammar(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text())
    acct = load(file).acct
    assert (acct.name, acct.sync, acct.world_readable) == ("sendgate.csv", True, True)
    for good, bad in (
        ("sync yes", "sync always"),
        ("world-readable yes", "world-read yes"),
        ("deliver-unmatched-email no", "deliver-unmatched no"),
        ("deliver-unmatched-email no", "deliver-unmatched-email never"),
        ("address /^fbl", "address ^fbl"),
        ("        address /^fbl", "        from /^fbl"),
    ):
        assert good in text()
        file.write_text(text().replace(good, bad))
        with pytest.raises(ConfigError):
            load(file)
