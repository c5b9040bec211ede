"""Commits that PostgreSQL never answered: none is dropped, and new mail gives way."""

from typing import Any

import pytest

from gateway.hold.database import AwayError, Database, UnknownError
from gateway.hold.keep.store import Store
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, campaign_mail, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import gateway, holding
from tests.support.hold.database import states
from tests.support.pmta.standin import StandIn

MOST = 3


async def test_what_was_never_answered_defers_new_mail_until_it_is_ended(
    valkey_url: str, hold_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    async def insert(self: Store, batch: Any, last: float) -> None:
        nonlocal tried
        tried += len(batch)
        raise UnknownError("cut off")

    def away(self: Database, patience: float = 0.0) -> Any:
        raise AwayError("PostgreSQL is away")

    async with StandIn.start() as pmta:
        settings = holding(valkey_url, hold_url, hold={"unsure": MOST})
        # Nothing may go: all of it is to be held.
        plan = generation(vmta(1, daily=0), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate:
            held = gate.worker.parts.holding
            assert held is not None
            wire = await gate.wire()

            async def send(number: int) -> str:
                return await wire.send("a@dest.test", body=campaign_mail(f"s{number:09d}", number))

            with monkeypatch.context() as patch:
                patch.setattr(Store, "_insert", insert)
                for name in ("fresh", "connection"):
                    patch.setattr(Database, name, away)
                for number in range(MOST):
                    assert not held.unsure.full
                    assert (await send(number)).startswith("451 4.3.0")
                assert (held.unsure.waiting, tried) == (MOST, MOST)
                said = await send(MOST)
                assert said.startswith("45"), said
                assert "left too much unanswered" in said
                assert (held.unsure.waiting, tried) == (MOST, MOST), "it was not tried"

            async def ended() -> bool:
                return not held.unsure.waiting

            await until(ended)
            assert (await send(MOST)).endswith("queued")
            assert (await wire.send("a@dest.test", body=MESSAGE.format(0))).endswith("queued")
            assert (await states(hold_url))["held"] == 2
            await wire.close()
