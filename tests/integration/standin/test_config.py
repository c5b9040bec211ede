"""The stand-in under a PowerMTA configuration: VirtualMTAs, pools, sources, reload."""

import csv
import re
from pathlib import Path

import pytest

from control.pmta.config import pmta_config
from control.pmta.generator.terms import Terms
from policy.plan import PROBE_DOMAIN, SYSTEM_VIRTUAL_MTA, Generation
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

CONFIG = """
smtp-listener 127.0.0.1:2525
include vmtas.inc
<source 0/0>
    always-allow-relaying no
</source>
<source 127.0.0.1>
    always-allow-relaying yes
    process-x-virtual-mta yes
    process-x-job no
</source>
<domain "probe.test">
    type discard
</domain>
"""
VMTAS = """
<virtual-mta v1>
    smtp-source-host 192.0.2.1 m1.t.test
</virtual-mta>
<virtual-mta v2>
    smtp-source-host 192.0.2.2 m2.t.test
</virtual-mta>
<virtual-mta-pool p>
    virtual-mta v1
    virtual-mta v2
</virtual-mta-pool>
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "vmtas.inc").write_text(VMTAS)
    (tmp_path / "config").write_text(CONFIG)
    return tmp_path / "config"


def message(vmta: str) -> str:
    return f"x-virtual-mta: {vmta}\r\nx-job: c1\r\n\r\nhi\r\n"


async def test_names_are_known_and_pools_take_turns(config: Path, tmp_path: Path) -> None:
    async with StandIn.start(config, tmp_path / "acct") as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        for vmta in ("V1", "P", "p", "p"):
            assert (await wire.send("b@gmail.test", body=message(vmta))).startswith("250")
        said = await wire.send("b@gmail.test", body=message("v3"))
        assert said == "550 5.5.0 specified Virtual MTA 'v3' does not exist"
        await wire.close()
        taken = [(m.vmta, m.pool, m.source_ip, m.jobid) for m in await pmta.messages()]
        assert taken == [
            ("v1", "", "192.0.2.1", ""),
            ("v1", "p", "192.0.2.1", ""),
            ("v2", "p", "192.0.2.2", ""),
            ("v1", "p", "192.0.2.1", ""),
        ]
        # x-job is not processed for this source, so it travels on to the recipient.
        assert (await pmta.messages())[0].content == b"x-job: c1\r\n\r\nhi\r\n"


async def test_discarded_mail_is_nobodys_real_mail(config: Path) -> None:
    async with StandIn.start(config) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        await wire.send("x@probe.test", body=message("v1"))
        await wire.close()
        report = await pmta.report()
        assert report["discarded"]["recipients"] == 1
        assert report["by_vmta"] == {}
        assert report["totals"]["messages"] == 0


async def test_a_probe_is_taken_and_recorded_under_the_generated_configuration(
    tmp_path: Path,
) -> None:
    config, acct = tmp_path / "config", tmp_path / "acct"
    generation = Generation(number=1, created=0.0)
    terms = Terms(gateways=("127.0.0.1",), accounting=str(acct))
    config.write_text(pmta_config(generation, terms).whole())
    async with StandIn.start(config, acct) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        body = f"x-virtual-mta: {SYSTEM_VIRTUAL_MTA}\r\nx-envid: probe-one\r\n\r\n"
        assert (await wire.send(f"probe@{PROBE_DOMAIN}", body=body)).startswith("250")
        await wire.close()
        assert (await pmta.report())["totals"]["messages"] == 0
    [path] = acct.iterdir()
    assert re.fullmatch(r"sendgate-\d{4}-\d\d-\d\d-0001\.csv", path.name)
    with path.open(newline="") as file:
        records = [(r["type"], r["envId"], r["dlvType"]) for r in csv.DictReader(file)]
    assert records == [("r", "probe-one", ""), ("d", "probe-one", "discard")]


async def test_a_bad_reload_keeps_the_old_configuration(config: Path) -> None:
    async with StandIn.start(config) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        config.write_text(CONFIG + "weight 3\n")
        with pytest.raises(ValueError, match=r"Error in line 15 of .*unknown directive 'weight'"):
            await pmta.command("reload")
        assert (await wire.send("b@gmail.test", body=message("v1"))).startswith("250")
        config.write_text(CONFIG.replace("127.0.0.1>", "192.0.2.9>"))
        assert await pmta.command("reload") == "Configuration reloaded."
        assert await wire.ask("MAIL FROM:<a@t.test>") == "250 2.1.0 sender OK"
        assert (await wire.ask("RCPT TO:<b@gmail.test>")).startswith("550 5.7.1 relaying denied")
        await wire.close()
        with pytest.raises(ValueError, match="unknown command"):
            await pmta.command("dance")


async def test_without_its_file_it_starts_and_knows_no_names(tmp_path: Path) -> None:
    async with StandIn.start(tmp_path / "config") as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        assert (await wire.send("b@x.test", body=message("v1"))).startswith("550 5.5.0")
        (tmp_path / "config").write_text(VMTAS)
        assert await pmta.command("reload") == "Configuration reloaded."
        assert (await wire.send("b@x.test", body=message("v1"))).startswith("250")
        await wire.close()
        assert await pmta.command("show vmtas") == '["v1","v2"]'
