"""A real HAProxy in front of each kind of listener: its headers, its TLS, its health checks."""

import asyncio
import contextlib
import csv
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control.embedded.servers import ports
from settings.model import Listener
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.generations import generation, tenant
from tests.support.gateway.house import MESSAGE
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

pytestmark = [
    pytest.mark.haproxy,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="no haproxy here"),
]

LISTENERS = tuple(
    Listener(port=0, tls=tls, require_tls=tls == "starttls", proxy_protocol=True)
    for tls in ("none", "starttls", "implicit")
)
PLAIN, STARTTLS, IMPLICIT = range(3)
CLIENT = "127.0.0.9"
"""The tenant's network; HAProxy itself comes from 127.0.0.1, which is nobody's."""

ROUTES = {
    "v1 to plain": (PLAIN, "send-proxy", ""),
    "v2 to plain": (PLAIN, "send-proxy-v2 check", ""),
    "v1 to STARTTLS": (STARTTLS, "send-proxy check", "starttls"),
    "v2 to STARTTLS": (STARTTLS, "send-proxy-v2 check", "starttls"),
    "v1, the client's TLS": (IMPLICIT, "send-proxy", "implicit"),
    "v2, the client's TLS": (IMPLICIT, "send-proxy-v2 check", "implicit"),
    "v1, HAProxy's TLS": (IMPLICIT, "ssl verify none send-proxy check", ""),
    "v2, HAProxy's TLS": (IMPLICIT, "ssl verify none send-proxy-v2 check", ""),
}
"""Listener, options of HAProxy's server line, what TLS the client does."""


class Balancer:
    """HAProxy with a port for each route."""

    def __init__(self, folder: Path) -> None:
        self.port = {name: ports.choose() for name in ROUTES}
        self._folder = folder
        self._stats = folder / "stats"

    @contextlib.asynccontextmanager
    async def serving(self, gate: GatewayUnderTest) -> AsyncIterator[None]:
        lines = [
            "global", f"  stats socket {self._stats}", "defaults", "  mode tcp",
            "  timeout connect 5s", "  timeout client 30s", "  timeout server 30s",
            "  timeout check 5s", "  default-server inter 50ms",
        ]  # fmt: skip
        for number, (name, (listener, options, _)) in enumerate(ROUTES.items()):
            lines += [
                f"listen route-{number}",
                f"  bind 127.0.0.1:{self.port[name]}",
                f"  server gate 127.0.0.1:{gate.ports[listener]} {options}",
            ]
        file = self._folder / "haproxy.cfg"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            "haproxy", "-db", "-f", str(file), stdin=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(20):
                while not self._stats.exists() or not await self.checks():
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def checks(self) -> list[str]:
        """What the latest health check of each checked server found."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._stats)
        except OSError:
            return []
        writer.write(b"show stat\n")
        answer = (await reader.read()).decode().lstrip("# ")
        writer.close()
        rows = csv.DictReader(answer.splitlines())
        return [
            row["check_status"] for row in rows if row["svname"] == "gate" and row["check_status"]
        ]


@contextlib.asynccontextmanager
async def balanced(
    valkey_url: str, folder: Path
) -> AsyncIterator[tuple[Balancer, GatewayUnderTest, StandIn, Certificate]]:
    certificate = make_certificate(folder)
    fields = {
        "listeners": LISTENERS,
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        "proxy_networks": ("127.0.0.1/32",),
    }
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    inside = (tenant(networks=(f"{CLIENT}/32",)),)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port, tenants=inside)) as gate,
    ):
        balancer = Balancer(folder)
        async with balancer.serving(gate):
            yield balancer, gate, pmta, certificate


async def test_the_client_behind_each_route_is_known_by_its_network(
    valkey_url: str, tmp_path: Path
) -> None:
    async with balanced(valkey_url, tmp_path) as (balancer, gate, pmta, certificate):
        for name, (_, _, tls) in ROUTES.items():
            context = certificate.client_context() if tls == "implicit" else None
            wire = SmtpWire(
                *await asyncio.open_connection(
                    "127.0.0.1", balancer.port[name], local_addr=(CLIENT, 0), ssl=context,
                    server_hostname="localhost" if context else None,
                )
            )  # fmt: skip
            assert (await wire.reply()).startswith("220"), name
            await wire.ask("EHLO client.test")
            if tls == "starttls":
                assert (await wire.ask("STARTTLS")).startswith("220"), name
                await wire.writer.start_tls(
                    certificate.client_context(), server_hostname="localhost"
                )
                await wire.ask("EHLO client.test")
            reply = await wire.send("you@dest.test", body=MESSAGE)
            assert reply.startswith("250 2.0.0 OK "), (name, reply)
            await wire.close()
        assert len(await pmta.messages()) == len(ROUTES)
        peers = [line["peer"] for line in gate.log_lines("message")]
        assert peers == [CLIENT] * len(ROUTES)


async def test_health_checks_succeed_and_leave_no_line_in_the_log(
    valkey_url: str, tmp_path: Path
) -> None:
    checked = sum("check" in options.split() for _, options, _ in ROUTES.values())
    async with balanced(valkey_url, tmp_path) as (balancer, gate, _, _):
        async with asyncio.timeout(30):
            while (
                len(found := await balancer.checks()) < checked
                or set(found) - {"L4OK", "L6OK"}
                or gate.worker.service.live.ended < 10 * checked
            ):
                await asyncio.sleep(0.05)
        told = [line for line in gate.log_lines() if line["level"] != "debug"]
        assert [line for line in told if line["event"] != "generation"] == []
