"""A worker that has no plan yet: what it says is about itself, and nothing of it is for good.

Clients take a 5xx as the last word on a login or a message (MailWizz also disables a delivery
server over it), and the plan may be there a second later.
"""

import base64

import pytest

from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.house import MESSAGE
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

LOGIN = "AUTH PLAIN " + base64.b64encode(b"\0acme\0secret").decode()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does not wait long for its first plan."""
    monkeypatch.setattr("gateway.process.CLEAN_UP", 0.1)


async def test_a_login_is_answered_for_now(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), None) as gate:
        wire = await SmtpWire.open(gate.port)
        for _ in range(gate.worker.service.settings.auth_attempts + 1):
            # None of them counts as a wrong password.
            assert (await wire.ask(LOGIN)).startswith("454 4.7.0 ")
        await wire.ask("AUTH LOGIN")
        await wire.ask(base64.b64encode(b"acme").decode())
        reply = await wire.ask(base64.b64encode(b"secret").decode())
        assert reply.startswith("454 4.7.0 ")
        await gate.publish(generation(number=2))
        assert (await wire.ask(LOGIN)).startswith("235")
        await wire.close()


async def test_commands_of_a_transaction_are_answered_for_now(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), None) as gate:
        wire = await SmtpWire.open(gate.port)
        for command in ("MAIL FROM:<a@acme.test>", "RCPT TO:<b@dest.test>", "DATA"):
            assert (await wire.ask(command)).startswith("451 4.3.0 "), command
        await gate.publish(generation(number=2))
        assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0 ")
        await wire.close()


async def test_a_client_by_network_sends_over_the_session_it_opened_before_the_plan(
    valkey_url: str,
) -> None:
    async with StandIn.start() as pmta, gateway(settings_for(valkey_url), None) as gate:
        wire = await SmtpWire.open(gate.port)
        assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("451 4.3.0 ")
        inside = (tenant(networks=("127.0.0.0/8",)),)
        await gate.publish(generation(vmta(1), number=2, port=pmta.smtp_port, tenants=inside))
        reply = await wire.send("you@dest.test", body=MESSAGE)
        assert reply.startswith("250 2.0.0 OK "), reply
        await wire.close()
