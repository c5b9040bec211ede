"""The gateway as processes: exact quotas under a race, drain, reload, dead workers."""

import asyncio
import contextlib
import signal
import smtplib
import ssl
from pathlib import Path

import pytest

from gateway.relay import wire
from policy.plan import Generation
from settings.model import Listener, Settings
from tests.support.certificates import make_certificate
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.process import GatewayProcess
from tests.support.gateway.worker import settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

OPEN_HOUSE = tenant(networks=("127.0.0.0/8",))
MESSAGE = "From: a@acme.test\r\nSubject: x\r\n\r\nhello\r\n"


def process_settings(valkey_url: str, **gateway: object) -> Settings:
    return settings_for(valkey_url, gateway={"admin_port": 0, **gateway})


async def offer(port: int, count: int, recipient: str = "you@dest.test") -> list[str]:
    """`count` messages on one connection; the replies."""
    wire = await SmtpWire.open(port)
    try:
        return [await wire.send(recipient, body=MESSAGE) for _ in range(count)]
    finally:
        await wire.close()


async def test_the_log_says_whether_what_runs_is_compiled(valkey_url: str, tmp_path: Path) -> None:
    """`make test-compiled` runs these tests with compiled processes: here it would be found out if
    they were not."""
    gate = GatewayProcess(process_settings(valkey_url), tmp_path)
    await gate.publish(generation(tenants=(OPEN_HOUSE,)))
    async with gate:
        (line,) = gate.lines("settings")
    assert line["compiled"] is not str(wire.__file__).endswith(".py")


async def test_race_many_gateways_never_exceed_any_quota(valkey_url: str, tmp_path: Path) -> None:
    """Two gateways of two workers, 64 connections, 640 messages against quotas summing to 100."""
    quotas = {"192.0.2.1": 10, "192.0.2.2": 25, "192.0.2.3": 1, "192.0.2.4": 64}
    rows = [vmta(n, ip=ip, daily=quota) for n, (ip, quota) in enumerate(quotas.items(), start=1)]
    async with StandIn.start(store="headers") as pmta, contextlib.AsyncExitStack() as stack:
        plan = generation(*rows, port=pmta.smtp_port, tenants=(OPEN_HOUSE,))
        ports = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            gate = GatewayProcess(process_settings(valkey_url, workers=2), folder)
            if name == "one":
                await gate.publish(plan)
            await stack.enter_async_context(gate)
            ports.append(gate.port)
        replies = await asyncio.gather(*(offer(ports[n % 2], 10) for n in range(64)))
        codes = [reply[:3] for one in replies for reply in one]
        assert codes.count("250") == 100
        assert codes.count("451") == 540
        assert {reply for one in replies for reply in one if reply[0] == "5"} == set()
        report = await pmta.report()
        by_vmta = {name: entry["messages"] for name, entry in report["by_vmta"].items()}
        assert by_vmta == {row.name: row.daily for row in rows}
        assert report["totals"]["duplicate_envids"] == 0


async def test_a_message_under_way_is_finished_when_the_gateway_is_told_to_end(
    valkey_url: str, tmp_path: Path
) -> None:
    gate = GatewayProcess(process_settings(valkey_url), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            idle = await SmtpWire.open(gate.port)
            busy = asyncio.create_task(offer(gate.port, 1, "late-1@dest.test"))
            await pmta.until_messages(1)
            gate.signal(signal.SIGTERM)
            assert (await idle.reply()).startswith("421 4.3.2")
            assert (await busy)[0].startswith("250")
            assert await gate.process.wait() == 0
            await idle.close()
        assert len(await pmta.messages()) == 1
        assert [line["outcome"] for line in gate.lines("message")] == ["relayed"]


async def test_a_client_hears_of_its_message_even_when_the_drain_time_is_over(
    valkey_url: str, tmp_path: Path
) -> None:
    """Cut off, it would send again what PowerMTA has; one that is still sending is cut."""
    gate = GatewayProcess(process_settings(valkey_url, drain=0.3), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            half = await SmtpWire.open(gate.port)
            await half.ask("MAIL FROM:<a@acme.test>")
            await half.ask("RCPT TO:<you@dest.test>")
            await half.ask("DATA")
            half.say("From: a@acme.test\r\n")
            await half.writer.drain()
            busy = asyncio.create_task(offer(gate.port, 1, "late-2@dest.test"))
            await pmta.until_messages(1)
            gate.signal(signal.SIGTERM)
            assert (await busy)[0].startswith("250")
            assert await half.reply() == ""
            assert await gate.process.wait() == 0
            await half.close()
        assert len(await pmta.messages()) == 1


async def test_reload_takes_new_settings_without_dropping_a_session(
    valkey_url: str, tmp_path: Path
) -> None:
    settings = process_settings(valkey_url, max_message_size=5000)
    gate = GatewayProcess(settings, tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            old = await SmtpWire.open(gate.port)
            assert (await old.ask("MAIL FROM:<a@acme.test>")).startswith("250")
            text = gate.config.read_text().replace("= 5000", "= 7000")
            gate.config.write_text(text)
            gate.signal(signal.SIGHUP)
            await gate.until("reloaded")
            assert (await old.ask("RCPT TO:<you@dest.test>")).startswith("250")
            assert (await old.ask("DATA")).startswith("354")
            old.say(MESSAGE + ".\r\n")
            assert (await old.reply()).startswith("250")
            wire = await SmtpWire.open(gate.port, ehlo=False)
            await wire.reply()
            wire.say("EHLO client.test\r\n")
            lines = [await wire.reader.readline() for _ in range(3)]
            assert lines[2] == b"250-SIZE 7000\r\n"
            await old.close()
            await wire.close()


async def test_a_wrong_configuration_does_not_replace_a_running_one(
    valkey_url: str, tmp_path: Path
) -> None:
    gate = GatewayProcess(process_settings(valkey_url), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            gate.config.write_text("[gateway]\nworker = 3\n[bogus]\n")
            gate.signal(signal.SIGHUP)
            [line] = await gate.until("reload_refused")
            assert "gateway.worker: no such setting" in line["why"]
            assert "bogus: no such section" in line["why"]
            assert (await offer(gate.port, 1))[0].startswith("250")


async def test_a_reload_whose_workers_could_not_start_leaves_the_old_ones_in_peace(
    valkey_url: str, tmp_path: Path
) -> None:
    """A certificate that is no certificate: the workers would die of it."""
    files = make_certificate(tmp_path)
    listeners = (Listener(port=0), Listener(port=0, tls="starttls"))
    settings = process_settings(
        valkey_url,
        listeners=listeners,
        certificate=str(files.certificate),
        key=str(files.key),
    )
    gate = GatewayProcess(settings, tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            before = gate.worker_pids()
            kept = files.certificate.read_bytes()
            files.certificate.write_text("nonsense")
            gate.signal(signal.SIGHUP)
            [line] = await gate.until("reload_refused")
            assert "is no PEM file with a certificate" in str(line["why"])
            assert await gate.get("/readyz") == (200, "ready\n")
            assert gate.worker_pids() == before
            assert gate.lines("worker_died") == []
            assert (await offer(gate.port, 1))[0].startswith("250")
            files.certificate.write_bytes(kept)
            gate.signal(signal.SIGHUP)
            await gate.until("reloaded")
            async with asyncio.timeout(10):
                while gate.worker_pids() == before or len(gate.worker_pids()) != 1:
                    await asyncio.sleep(0.05)
            assert (await offer(gate.port, 1))[0].startswith("250")


async def test_a_killed_worker_is_replaced_and_charges_stand(
    valkey_url: str, tmp_path: Path
) -> None:
    """Hazard 2: what the dead worker may have sent stays charged, nothing is sent twice."""
    gate = GatewayProcess(process_settings(valkey_url), tmp_path)
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=3), port=pmta.smtp_port, tenants=(OPEN_HOUSE,))
        await gate.publish(plan)
        async with gate:
            lost = asyncio.create_task(offer(gate.port, 1, "late-30@dest.test"))
            await pmta.until_messages(1)
            [worker] = gate.worker_pids()
            gate.signal(signal.SIGKILL, worker)
            assert await lost == [""]
            await gate.until("worker_died")
            replies = await offer(gate.port, 3)
            assert [reply[:3] for reply in replies] == ["250", "250", "451"]
            assert (await pmta.report())["totals"]["messages"] == 3


async def test_the_admin_port_tells_health_readiness_and_metrics(
    valkey_url: str, tmp_path: Path
) -> None:
    gate = GatewayProcess(process_settings(valkey_url, workers=2), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            assert await gate.get("/healthz") == (200, "ok\n")
            assert await gate.get("/readyz") == (200, "ready\n")
            await asyncio.gather(*(offer(gate.port, 2) for _ in range(8)))
            relayed = 'sendgate_messages_total{outcome="relayed",tenant="acme"} 16.0'
            async with asyncio.timeout(10):  # workers show their counts once a second
                while relayed not in (text := (await gate.get("/metrics"))[1]):
                    await asyncio.sleep(0.1)
            assert 'sendgate_recipients_relayed_total{provider="other",vmta="vmta-1"} 16.0' in text
            assert "you@dest.test" not in text


async def test_every_kind_of_tls_and_login_works_on_the_production_loop(
    valkey_url: str, tmp_path: Path
) -> None:
    files = make_certificate(tmp_path)
    listeners = (
        Listener(port=0, tls="starttls", require_tls=True),
        Listener(port=0, tls="implicit"),
    )
    settings = process_settings(
        valkey_url,
        listeners=listeners,
        certificate=str(files.certificate),
        key=str(files.key),
        plain_auth_networks=(),
    )
    gate = GatewayProcess(settings, tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port))
        async with gate:
            await asyncio.to_thread(_send_by_tls, gate.ports, files.client_context())
        assert len(await pmta.messages()) == 2


def _send_by_tls(ports: list[int], context: ssl.SSLContext) -> None:
    starttls = smtplib.SMTP("localhost", ports[0], timeout=10)
    starttls.ehlo()
    assert not starttls.has_extn("auth")
    starttls.starttls(context=context)
    implicit = smtplib.SMTP_SSL("localhost", ports[1], timeout=10, context=context)
    for client in (starttls, implicit):
        client.login("acme", "secret")
        client.sendmail("a@acme.test", ["you@dest.test"], MESSAGE)
        client.quit()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway]\nport = 1\nworkers = 0\n", ["gateway.port: no such", "gateway.workers: "]),
        ("not toml", ["sendgate.toml"]),
    ],
)
async def test_a_wrong_configuration_stops_the_start_with_every_error(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    config = tmp_path / "sendgate.toml"
    config.write_text(text)
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "--config", str(config),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await process.communicate()
    assert process.returncode == 2
    for part in said:
        assert part in stderr.decode()


async def test_a_taken_port_is_one_clear_line(valkey_url: str, tmp_path: Path) -> None:
    gate = GatewayProcess(process_settings(valkey_url), tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    async with StandIn.start() as pmta:
        plan: Generation = generation(port=pmta.smtp_port)
        await gate.publish(plan)
        async with gate:
            taken = Listener(port=gate.port)
            second = GatewayProcess(process_settings(valkey_url, listeners=(taken,)), other)
            with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{gate.port}"):
                await second.__aenter__()
            await second.__aexit__()


async def test_a_few_lasting_connections_are_shared_by_the_workers(
    valkey_url: str, tmp_path: Path
) -> None:
    gate = GatewayProcess(process_settings(valkey_url, workers=2), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            idle = [sockets(pid) for pid in gate.worker_pids()]
            # Again and again: who was there a moment ago must not count any more.
            for count in (2, 6, 12) * 5:
                # A worker that gets no turn of the processor for 25 ms leaves one to the other.
                for _ in range(3):
                    shares = await shared_out(gate, count, idle)
                    if abs(shares[0] - shares[1]) <= 2 * (count > 2):
                        break
                else:
                    pytest.fail(f"{count} connections, three times: {shares} at last")


async def shared_out(gate: GatewayProcess, count: int, idle: list[int]) -> list[int]:
    """How many of `count` connections each worker took; they are closed again."""
    wires = await asyncio.gather(*(SmtpWire.open(gate.port) for _ in range(count)))
    try:
        now = [sockets(pid) for pid in gate.worker_pids()]
    finally:
        for wire in wires:
            await wire.close()
    shares = [after - before for after, before in zip(now, idle, strict=True)]
    assert sum(shares) == count
    async with asyncio.timeout(10):
        while [sockets(pid) for pid in gate.worker_pids()] != idle:
            await asyncio.sleep(0.02)
    return shares


async def test_a_frozen_worker_costs_only_its_own_sessions(valkey_url: str, tmp_path: Path) -> None:
    gate = GatewayProcess(process_settings(valkey_url, workers=2), tmp_path)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port, tenants=(OPEN_HOUSE,)))
        async with gate:
            gate.signal(signal.SIGSTOP, gate.worker_pids()[0])
            try:
                # The first ones may be left to it for as long as it seems to be there.
                async with asyncio.timeout(5):
                    replies = [await offer(gate.port, 1) for _ in range(30)]
            finally:
                gate.signal(signal.SIGCONT, gate.worker_pids()[0])
            assert {reply[:3] for [reply] in replies} == {"250"}
        assert len(await pmta.messages()) == 30


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(str(entry.readlink()))
    return sum(name.startswith("socket:") for name in names)
