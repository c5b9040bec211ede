"""The generated PowerMTA configuration: a golden file, and what may never be in it."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.accounting.fact import NAMES
from control.accounting.identity import Reading
from control.accounting.records import TYPES, split
from control.pmta.config import placed, pmta_config
from control.pmta.fileset import MAIN
from control.pmta.generator.records import RECORD_FIELDS
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError
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


TERMS = Terms(
    gateways=("127.0.0.1", "198.51.100.0/28"),
    accounting="/var/log/pmta",
    system_host="gate.example",
    keys="/etc/pmta/keys",
    selectors={("acme", "acme.example"): "sg202603", ("acme", "gone.example"): "x"},
    bounces=("bounces+x@b.acme.example", "@c.acme.example"),
    complaints=("fbl@acme.example",),
    wall=3.0,
    categories=True,
    webhook="https://gate.example/api/v2/powermta/accounting",
    webhook_headers="/etc/pmta/sendgate.headers",
    monitors=("127.0.0.1",),
    own={"vmta-192-0-2-1": "<domain example.net>\n    max-smtp-out 2\n</domain>\n"},
)
PLAIN = Terms(gateways=(), accounting="/var/log/pmta")


def text(generation: Generation = GENERATION, terms: Terms = TERMS) -> str:
    return pmta_config(generation, terms).whole()


def plain(**changed: Any) -> str:
    return text(terms=msgspec.structs.replace(PLAIN, **changed))


def test_the_configuration_is_the_golden_file() -> None:
    assert text() == GOLDEN.read_text(encoding="utf-8")


def test_each_file_has_one_concern_and_the_first_includes_the_others() -> None:
    found = pmta_config(GENERATION, TERMS)
    main, *others = found.files
    assert main == MAIN
    lines = [line for line in found.files[MAIN].splitlines() if line.startswith("include ")]
    assert lines == [f"include {{folder}}/{name}" for name in others]
    set_down = placed(found, "/etc/pmta/sendgate/")
    assert f"include /etc/pmta/sendgate/{others[0]}\n" in set_down.files[MAIN]
    assert set_down.whole() == found.whole()
    assert set_down.digest != found.digest
    vmtas = {name for name in others if "<virtual-mta " in found.files[name]}
    assert vmtas == {"system.conf", "tenant-acme.conf", "no-pool.conf"}


def test_what_concerns_nobody_is_no_file() -> None:
    files = pmta_config(GENERATION, msgspec.structs.replace(PLAIN, rollups=False)).files
    assert not {"replies.conf", "providers.conf", "monitor.conf"} & files.keys()


def test_a_server_has_its_own_virtual_mtas_only() -> None:
    other = msgspec.structs.replace(GENERATION.vmtas[2], server="pmta2")
    generation = msgspec.structs.replace(GENERATION, vmtas=(*GENERATION.vmtas[:2], other))
    second = pmta_config(generation, TERMS, "pmta2").whole()
    assert second.count("<virtual-mta vmta-") == 1
    assert (
        "http-webhook-url https://gate.example/api/v2/powermta/accounting?server=pmta2\n" in second
    )
    assert "<virtual-mta vmta-2001-db8-1>" in second
    pools = second.split("<virtual-mta-pool acme>")[1].split("</virtual-mta-pool>")[0]
    assert pools.split() == ["virtual-mta", "vmta-2001-db8-1"]


def test_the_second_wall_is_some_times_the_quota_and_each_ceiling() -> None:
    ceilings = {"gmail": 20, "orange": 4, "spectrum": 3, "other": 7, "free": 0}
    first = msgspec.structs.replace(GENERATION.vmtas[0], daily=50, ceilings=ceilings)
    rest = msgspec.structs.replace(GENERATION.vmtas[2], daily="unlimited")
    generation = msgspec.structs.replace(GENERATION, vmtas=(first, rest))
    block, last = (
        part.split("</virtual-mta>")[0]
        for part in text(generation).split("<virtual-mta vmta-")[1:3]
    )
    assert "    max-smtp-msg-rate 150/d\n" in block
    wall = [line.strip() for line in block.splitlines()]
    for queue, most in (
        ("gmail.rollup", 60), ("$sendgate_orange", 12), ("*.rr.com", 9), ("$sendgate_spectrum", 9),
    ):  # fmt: skip
        at = wall.index(f"<domain {queue}>")
        assert wall[at + 1 : at + 3] == [f"max-msg-rate {most}/d", "</domain>"]
    assert "free" not in block
    assert "rate" not in last
    assert "msg-rate" not in text(generation, msgspec.structs.replace(TERMS, wall=0.0))
    only = text(generation, msgspec.structs.replace(TERMS, rollups=False))
    assert "max-smtp-msg-rate 150/d" in only
    assert "max-msg-rate" not in only


def test_weights_are_said_to_act_elsewhere() -> None:
    heavy = msgspec.structs.replace(GENERATION.vmtas[0], weight=3.0)
    generation = msgspec.structs.replace(GENERATION, vmtas=(heavy, *GENERATION.vmtas[1:]))
    assert "# Weights act in the gateway" in text(generation)
    assert "# Weights act in the gateway" not in text()


def test_lines_of_the_operators_stand_in_their_block() -> None:
    block = text().split("<virtual-mta vmta-192-0-2-1>")[1].split("</virtual-mta>")[0]
    own = "    <domain example.net>\n        max-smtp-out 2\n    </domain>\n"
    assert block.endswith(own)
    wrong = {"acme": "rotate-period 1d"}
    with pytest.raises(ConfigValueError, match="rotate-period may not stand in virtual-mta-pool"):
        plain(own=wrong)


def test_nobody_shows_powermtas_monitor_to_everybody() -> None:
    with pytest.raises(ConfigValueError, match="shows PowerMTA's monitor to everybody"):
        plain(monitors=("0.0.0.0/0",))
    for everybody in ("0.0.0.0/0", "::/0"):
        with pytest.raises(ConfigValueError, match="is an open relay"):
            plain(gateways=(everybody,))


def test_a_hundred_ips_of_two_tenants_are_written_in_well_under_a_second() -> None:
    vmtas = tuple(
        VirtualMta(
            name=f"vmta-{number}", ip=f"192.0.2.{number}", host_name=f"m{number}.acme.example",
            server="pmta1", state=IpState.WARMING, daily=50,
            ceilings=dict.fromkeys(["gmail", "yahoo", "microsoft", "orange", "free"], 10),
        )
        for number in range(100)
    )  # fmt: skip
    pools = tuple(
        Pool(name=name, tenant=name, members=tuple(v.name for v in vmtas[start : start + 50]))
        for name, start in (("acme", 0), ("globex", 50))
    )
    tenants = tuple(Tenant(name=name, default_pool=name) for name in ("acme", "globex"))
    generation = msgspec.structs.replace(GENERATION, vmtas=vmtas, pools=pools, tenants=tenants)
    # Of this process alone, whatever else the machine does.
    began = time.process_time()
    found = pmta_config(generation, TERMS)
    assert time.process_time() - began < 1.0
    assert found.whole().count("<virtual-mta vmta-") == 100


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
        plain(gateways=(bad,))
    with pytest.raises(ConfigValueError):
        plain(accounting=f"/var/{bad}" if bad else "")


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
    assert "dkim" not in plain().split("<source 0/0>")[1].split("</source>")[1]
    assert "domain-key" not in plain()
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
    assert "processor>" not in plain()
    assert "# rb, rs and f records need `control.pmta_bounces`" in plain()


@pytest.mark.parametrize("bad", ["", "a b@c.example", "a@b", "a/b@c.example", "@", "a#@c.example"])
def test_what_is_no_address_of_bounces_is_refused(bad: str) -> None:
    with pytest.raises(ConfigValueError, match="neither ADDRESS@DOMAIN nor @DOMAIN"):
        plain(bounces=(bad,))


def test_the_stand_in_loads_the_files_as_they_lie_in_a_folder(tmp_path: Path) -> None:
    for name, written in placed(pmta_config(GENERATION, TERMS), str(tmp_path)).files.items():
        (tmp_path / name).write_text(written)
    (tmp_path / "config").write_text(f"include {tmp_path / MAIN}\n")
    found = load(tmp_path / "config")
    assert found.virtual_mtas.keys() >= {"vmta-192-0-2-1", "vmta-192-0-2-2", "vmta-2001-db8-1"}
    assert found.pools.keys() == {"acme"}


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
