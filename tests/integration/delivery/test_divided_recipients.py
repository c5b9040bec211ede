"""PowerMTA takes some recipients of a message and not others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.delivery.division import Division
from gateway.hold.database import AwayError, Database, UnknownError
from gateway.hold.holding import Holding
from gateway.hold.keep.packing import values
from gateway.hold.keep.store import Store
from gateway.hold.settle.doubt import Doubts
from gateway.hold.settle.settling import Settler
from gateway.hold.upkeep.presence import Presence
from gateway.hold.upkeep.requests import Requests
from gateway.watch.log import Log
from policy.identity import parse_envelope
from policy.model import MailboxLimits, Profile
from settings.statements import statements
from tests.integration.hold.test_doubt import RECEIPT, STREAM
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, campaign_mail, until
from tests.integration.hold.test_upkeep import fetch
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser, settings_for
from tests.support.hold.database import execute, rows
from tests.support.pmta.standin import StandIn

LOG = Log(level="error")
GOOD, BAD, LATER = "good@dest.test", "refuse@dest.test", "defer@dest.test"


class Case:
    """A gateway with a hold in front of the stand-in."""

    def __init__(self, url: str, gate: GatewayUnderTest, pmta: StandIn) -> None:
        self.url = url
        self.gate = gate
        self.pmta = pmta

    async def send(self, *rcpts: str, body: str = MESSAGE.format(1), **more: str) -> str:
        wire = await self.gate.wire()
        answer = await wire.send(*rcpts, body=body, **more)
        await wire.close()
        return answer

    async def taken(self) -> list[str]:
        return [rcpt for message in await self.pmta.messages() for rcpt in message.rcpts]

    async def charged(self) -> int:
        await self.gate.worker.parts.reserver.drain()
        return (await self.gate.used("192.0.2.1"))["192.0.2.1"]

    async def rows(self) -> dict[str, tuple[str, str]]:
        found = await rows(self.url)
        return {row["recipient"].decode(): (row["state"], row["ending"]) for row in found}

    async def until(self, wanted: dict[str, tuple[str, str]]) -> None:
        async def there() -> bool:
            return await self.rows() == wanted

        await until(there)

    async def events(self) -> list[dict[str, Any]]:
        return await fetch(self.url, "SELECT * FROM hold_event ORDER BY id")


@contextlib.asynccontextmanager
async def divided(valkey_url: str, hold_url: str, **terms: Any) -> AsyncIterator[Case]:
    settings = holding(
        valkey_url, hold_url, ledger={"denial_cache": 0.0}, relay={"budget": 2.0},
        hold={"commit_budget": 1.0}, gateway={"answer_budget": 4.0},
    )  # fmt: skip
    house = tenant(**terms)
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=10), port=pmta.smtp_port, tenants=(house,))
        async with gateway(settings, plan) as gate:
            yield Case(hold_url, gate, pmta)


async def test_the_good_recipient_gets_it_and_the_refused_one_is_a_late_refusal(
    valkey_url: str, hold_url: str
) -> None:
    async with divided(valkey_url, hold_url) as case:
        answer = await case.send(GOOD, BAD, "also@dest.test")
        assert answer.startswith("250 2.0.0 OK "), answer
        assert answer.endswith("(2 of 3 recipients)")
        assert await case.taken() == [GOOD, "also@dest.test"]
        assert await case.charged() == 2
        done = ("done", "relayed")
        await case.until({GOOD: done, BAD: ("refused", "refused"), "also@dest.test": done})
        [event] = await case.events()
        assert (event["kind"], event["class"], event["dsn"]) == ("refused", "soft", "")
        assert event["recipient"] == BAD.encode()
        assert event["detail"].startswith("550 5.1.1")


async def test_a_deferred_recipient_is_held_alone(valkey_url: str, hold_url: str) -> None:
    async with divided(valkey_url, hold_url, mailbox_default=MailboxLimits(spacing=60.0)) as case:
        assert (await case.send(GOOD, LATER)).endswith("(1 of 2 recipients)")
        assert await case.taken() == [GOOD]
        assert await case.charged() == 1
        await case.until({GOOD: ("done", "relayed"), LATER: ("held", "")})
        _, row = sorted(await rows(hold_url), key=lambda row: str(row["state"]))
        assert (row["waiting"], row["failures"], row["reason"]) == (True, 1, "failed")
        assert await case.events() == []
        # The mailbox did send: its spacing stays, although part of the charge went back.
        assert (await case.send("next@dest.test")).endswith("queued")


@pytest.mark.parametrize("profile", list(Profile))
async def test_all_refused_is_the_clients_answer(
    valkey_url: str, hold_url: str, profile: Profile
) -> None:
    async with divided(valkey_url, hold_url, profile=profile) as case:
        assert (await case.send(BAD, "refuse@other.test")).startswith("550 5.1.1")
        assert await case.charged() == 0
        assert await case.rows() == {}


async def test_what_is_refused_after_the_dot_is_the_clients_for_all(
    valkey_url: str, hold_url: str
) -> None:
    async with divided(valkey_url, hold_url) as case:
        assert (await case.send("refuse-data@dest.test", BAD, LATER)).startswith("554 5.6.0")
        assert await case.charged() == 0
        gone = ("done", "withdrawn")
        # Before the client hears it: what it bounces must not wait here for anything.
        assert await case.rows() == {"refuse-data@dest.test": gone, BAD: gone, LATER: gone}
        assert await case.events() == []


@pytest.mark.parametrize("profile", list(Profile))
async def test_what_fails_after_the_dot_is_held_for_every_profile(
    valkey_url: str, hold_url: str, profile: Profile
) -> None:
    """It is committed: a 451 whose withdrawal is lost with this process would send it twice."""
    async with divided(valkey_url, hold_url, profile=profile) as case:
        assert (await case.send("defer-data@dest.test", BAD)).endswith("queued")
        assert await case.charged() == 0
        await case.until({"defer-data@dest.test": ("held", ""), BAD: ("refused", "refused")})


@contextlib.asynccontextmanager
async def unanswered(real: Any, patience: float) -> AsyncIterator[Any]:
    async with real(patience) as link:
        yield link
    raise UnknownError("the commit was not answered")


def absent(real: Any, patience: float) -> Any:
    raise AwayError("PostgreSQL is away")


@pytest.mark.parametrize("trouble", [absent, unanswered])
async def test_a_refusal_whose_withdrawal_is_not_certain_is_a_late_one(
    valkey_url: str, hold_url: str, trouble: Any
) -> None:
    """Nothing may be refused to the client and wait here, too."""
    async with divided(valkey_url, hold_url, profile=Profile.MTA) as case:
        holding = case.gate.worker.parts.holding
        assert holding is not None
        real = holding.vital.connection
        holding.vital.connection = lambda patience=1.0: trouble(real, patience)  # type: ignore[method-assign]
        answer = await case.send("refuse-data@dest.test", BAD, LATER)
        assert answer.endswith("queued"), answer
        holding.vital.connection = real  # type: ignore[method-assign]
        late = ("refused", "refused")
        await case.until({"refuse-data@dest.test": late, BAD: late, LATER: late})
        assert {event["detail"] for event in await case.events()} == {"554 5.6.0 content refused"}
        assert len(await case.events()) == 3
        assert await case.taken() == []


@pytest.mark.parametrize("rcpts", [(GOOD, LATER), (LATER,)])
@pytest.mark.parametrize("arrives", ["late", "meanwhile"])
@pytest.mark.parametrize("body", [MESSAGE.format(1), campaign_mail("s123456789", 1)])
async def test_what_an_unsure_commit_leaves_never_goes(
    valkey_url: str, hold_url: str, rcpts: tuple[str, ...], arrives: str, body: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The client was told 451 and comes again. The commit is in the kernel's buffer still, or
    executed and not committed, when its rows are ended."""
    server = await asyncpg.connect(hold_url)
    keep = statements("gateway.hold.keep", "keep")["keep"]
    sent: list[Any] = []

    async def insert(self: Store, batch: Any, last: float) -> None:
        sent.extend(values([job.packed for job in batch]))
        if arrives == "meanwhile":
            await server.execute("SELECT hold_partition($1)", batch[0].packed.bucket)
            await server.execute("BEGIN")
            await server.execute(keep, *sent)
        raise UnknownError("cut off")

    def away(self: Database, patience: float) -> Any:
        raise AwayError("PostgreSQL is away")

    async with divided(valkey_url, hold_url) as case:
        holding = case.gate.worker.parts.holding
        assert holding is not None

        async def ended() -> bool:
            return not holding.unsure.waiting

        with monkeypatch.context() as patch:
            patch.setattr(Store, "_insert", insert)
            patch.setattr(Database, "fresh", away)
            assert (await case.send(*rcpts, body=body)).startswith("451 4.3.0")
        assert await case.taken() == []
        if arrives == "meanwhile":
            assert holding.unsure.waiting, "for the commit that is under way"
            await server.execute("COMMIT")
            await until(ended)
        else:
            await until(ended)
            with pytest.raises(asyncpg.UniqueViolationError):
                await server.execute(keep, *sent)
        await server.close()
        assert await rows(hold_url, "state IN ('held', 'claimed', 'doubt')") == []
        assert (await case.send(*rcpts, body=body)).startswith("250 ")
        assert await case.taken() == [*rcpts[:-1]]

        async def held() -> bool:
            found = await rows(hold_url, "state IN ('held', 'claimed', 'doubt')")
            return [(row["recipient"], row["state"]) for row in found] == [(LATER.encode(), "held")]

        await until(held)


@contextlib.asynccontextmanager
async def dividing(case: Case, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Holding]:
    """While the rows are committed and the accepted ones have not got the message."""
    there, go = asyncio.Event(), asyncio.Event()
    keep = Division._keep

    async def slowly(self: Division, go_on: Any) -> Any:
        def later(why: str) -> None:
            assert why == ""
            there.set()

        kept = await keep(self, later)
        await go.wait()
        go_on("")
        return kept

    monkeypatch.setattr(Division, "_keep", slowly)
    sending = asyncio.create_task(case.send(GOOD, LATER))
    await there.wait()
    holding = case.gate.worker.parts.holding
    assert holding is not None
    try:
        yield holding
    finally:
        go.set()
        await asyncio.wait([sending])
    assert (await sending).endswith("(1 of 2 recipients)")
    await case.until({GOOD: ("done", "relayed"), LATER: ("held", "")})
    assert await case.taken() == [GOOD]


@pytest.mark.parametrize(
    ("action", "outcome"), [("settle", "absent"), ("settle", "delivered"), ("forget", "")]
)
async def test_no_order_touches_what_is_being_divided(
    valkey_url: str, hold_url: str, action: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        divided(valkey_url, hold_url) as case,
        dividing(case, monkeypatch) as holding,
    ):
        requests = Requests(holding.database, change=print, now=holding._now, log=LOG)
        await execute(
            hold_url,
            "INSERT INTO hold_request (at, who, action, tenant, recipient, outcome) "
            "VALUES (now(), 'ops', $1, 'acme', $2, $3)",
            action, GOOD, outcome,
        )  # fmt: skip
        await requests.step()
        [order] = await fetch(hold_url, "SELECT state, changed FROM hold_request")
        # To be forgotten it is when it is over.
        wanted = "running" if action == "forget" else "done"
        assert (order["state"], order["changed"]) == (wanted, 0)
        assert await case.rows() == {GOOD: ("doubt", ""), LATER: ("doubt", "")}


async def absence(case: Case, now: int) -> None:
    """The stream is read past `now`, and two probes say so."""
    await execute(case.url, STREAM)
    for number, sent_at in enumerate((now + 1000, now + 901_000)):
        await execute(
            case.url, "INSERT INTO probe VALUES ($1, 'pmta1', $2, true, true)",
            f"probe{number}", sent_at,
        )  # fmt: skip


def doubts_of(case: Case, holding: Holding) -> Doubts:
    return Doubts(
        holding.database, Settler(holding.database, change=print, now=holding._now, log=LOG),
        case.gate.worker.parts.reserver, probe_gap=900.0, before=0.0,
        servers=lambda: ("pmta1",), log=LOG,
    )  # fmt: skip


async def test_no_evidence_settles_what_is_being_divided(
    valkey_url: str, hold_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with divided(valkey_url, hold_url) as case, dividing(case, monkeypatch) as holding:
        await absence(case, holding._now())
        doubts = doubts_of(case, holding)
        await doubts.settle()
        await doubts._settler.drain(5.0)
        assert await case.rows() == {GOOD: ("doubt", ""), LATER: ("doubt", "")}


def presence(holding: Holding, later: int) -> Presence:
    found = Presence(
        holding.vital, "r1", lease=1.0, attempt=30.0, change=print,
        now=lambda: holding._now() + later, log=LOG,
    )  # fmt: skip
    found._good_since = -10.0
    return found


@pytest.mark.parametrize("profile", list(Profile))
async def test_only_the_accepted_ones_are_in_doubt_after_an_unanswered_dot(
    valkey_url: str, hold_url: str, profile: Profile
) -> None:
    async with divided(valkey_url, hold_url, profile=profile) as case:
        answer = await case.send("lose-after-dot@dest.test", BAD, LATER)
        assert answer.endswith("(to be confirmed)")
        assert await case.charged() == 1
        doubt = ("doubt", "")
        states = {"lose-after-dot@dest.test": doubt, BAD: ("refused", "refused")}
        await case.until({**states, LATER: ("held", "")})
        [in_doubt] = await rows(hold_url, "state = 'doubt'")
        assert in_doubt["envelope"] == answer.split()[3]
        [held] = await rows(hold_url, "state = 'held'")
        assert held["envelope"] != in_doubt["envelope"], "its records are not this one's evidence"


@pytest.mark.parametrize("profile", list(Profile))
async def test_nobody_gets_it_while_the_hold_is_away(
    valkey_url: str, hold_url: str, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 250 would lose the deferred one, a 451 after the dot would send to the good one twice."""

    def away(self: Database, patience: float = 0.0) -> Any:
        raise AwayError("PostgreSQL is away")

    async with divided(valkey_url, hold_url, profile=profile) as case:
        with monkeypatch.context() as patch:
            patch.setattr(Database, "connection", away)
            assert (await case.send(GOOD, LATER)).startswith("451 4.3.0")
            assert (await case.send(GOOD, BAD)).startswith("451 4.3.0")
        assert await case.taken() == []
        assert await case.charged() == 0
        assert (await case.send(GOOD, LATER)).startswith("250")
        assert await case.taken() == [GOOD]


async def test_without_a_hold_one_refusal_answers_for_all(valkey_url: str) -> None:
    async with StandIn.start() as pmta:
        plan = generation(vmta(1), port=pmta.smtp_port)
        async with gateway(settings_for(valkey_url), plan) as gate:
            wire = await gate.wire()
            assert (await wire.send(GOOD, BAD, body=MESSAGE.format(1))).startswith("550 5.1.1")
            assert (await wire.send(GOOD, LATER, body=MESSAGE.format(1))).startswith("451")
            assert (await wire.send(GOOD, BAD, LATER, body=MESSAGE.format(1))).startswith("451")
            assert await pmta.messages() == []
            await wire.close()


async def test_a_copy_of_a_divided_message_is_dropped(valkey_url: str, hold_url: str) -> None:
    async with divided(valkey_url, hold_url) as case:
        body = campaign_mail("s123456789", 1)
        assert (await case.send(GOOD, LATER, BAD, body=body)).startswith("250")
        assert (await case.send(GOOD, LATER, BAD, body=body)).endswith("(received before)")
        assert await case.taken() == [GOOD]
        # Refused whole: nothing is remembered of it.
        other = campaign_mail("t123456789", 2)
        for _ in range(2):
            answer = await case.send("refuse-data@dest.test", LATER, body=other)
            assert answer.startswith("554 5.6.0"), answer


async def test_profile_mta_gets_a_report_of_the_refused_one(valkey_url: str, hold_url: str) -> None:
    settings = holding(valkey_url, hold_url)
    async with divided(valkey_url, hold_url, profile=Profile.MTA, dsn=True) as case:
        async with releaser(settings):
            assert (await case.send(GOOD, BAD, sender="anna@acme.test")).startswith("250")
            await case.pmta.until_messages(2)
        [report] = [m for m in await case.pmta.messages() if m.rcpts == ["anna@acme.test"]]
        assert (report.mail_from, report.vmta) == ("", "sendgate-system")
        assert report.content is not None
        for line in (
            b"Final-Recipient: rfc822; refuse@dest.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            b"Diagnostic-Code: smtp; 550 5.1.1 ",
            b"In-Reply-To: <1@acme.test>\r\n",
        ):
            assert line in report.content, report.content.decode()


async def test_notify_never_is_reported_to_nobody(valkey_url: str, hold_url: str) -> None:
    async with divided(valkey_url, hold_url, profile=Profile.MTA, dsn=True) as case:
        wire = await case.gate.wire()
        await wire.ask("MAIL FROM:<anna@acme.test>")
        await wire.ask(f"RCPT TO:<{GOOD}>")
        for number, notify in enumerate(("NEVER", "SUCCESS,DELAY", "FAILURE", "SUCCESS,FAILURE")):
            await wire.ask(f"RCPT TO:<refuse@n{number}.test> NOTIFY={notify}")
        assert (await wire.ask("DATA")).startswith("354")
        wire.say(MESSAGE.format(1) + ".\r\n")
        assert (await wire.reply()).startswith("250")
        await wire.close()

        async def told() -> bool:
            return len(await case.events()) == 4

        await until(told)
        wanted = {e["recipient"].decode(): e["dsn"] for e in await case.events()}
        assert wanted == {
            "refuse@n0.test": "", "refuse@n1.test": "",
            "refuse@n2.test": "wanted", "refuse@n3.test": "wanted",
        }  # fmt: skip


async def test_what_a_worker_that_died_left_undecided_goes_by_evidence(
    valkey_url: str, hold_url: str
) -> None:
    """PowerMTA has the message, and nobody wrote what became of whom: the record of the attempt is
    the accepted recipient's evidence, and never the deferred one's."""
    async with divided(valkey_url, hold_url) as case:
        holding = case.gate.worker.parts.holding
        assert holding is not None
        holding.settler.settle = lambda _: None  # type: ignore[method-assign,assignment]
        assert (await case.send(GOOD, LATER)).startswith("250")
        [sent] = await case.pmta.messages()
        known = parse_envelope(sent.envid)
        assert known is not None
        doubt = ("doubt", "")
        assert await case.rows() == {GOOD: doubt, LATER: doubt}
        await execute(hold_url, RECEIPT, known.day, known.message, known.attempt)
        doubts = doubts_of(case, holding)
        await presence(holding, 20_000).bury()
        await doubts.settle()
        assert {row["reason"] for row in await rows(hold_url)} == {"dividing"}
        [before, _] = await rows(hold_url)
        # Long after the attempt must be over: its process is gone.
        await presence(holding, 40_000).bury()
        for row in await rows(hold_url):
            assert (row["reason"], row["since"]) == ("unknown", before["since"] + 30_000)
        await doubts.settle()
        await case.until({GOOD: ("done", "relayed"), LATER: doubt})
        # The stream is read past the dot without a record of it: it was not sent, and goes.
        await absence(case, holding._now() + 30_000)
        await doubts.settle()
        await case.until({GOOD: ("done", "relayed"), LATER: ("held", "")})
