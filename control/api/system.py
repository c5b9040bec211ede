"""/api/v2: explain, clock, generation, ledger, servers, PowerMTA's configuration; health."""

import msgspec

from control.api.route import DRY, GONE, Call, Route, changed
from control.explain.explanation import Explanation, Question, asked, explanation
from control.ledger.clock import ClockMove, ClockView
from control.ledger.status import LedgerState, LedgerStatus, closed_ips
from control.plan.changed import Changed, Removed
from control.plan.rows import ServerRow, servers
from control.pmta import server
from control.pmta.circuit import CircuitsView, circuits_view, sentences
from control.pmta.key import KeyFile
from control.pmta.server import ServerAddresses
from control.problem import RefusedError, missing
from control.store.change import Act
from policy.denial import Denied
from policy.ledger_port import Granted, LedgerAwayError, LedgerClosedError
from policy.plan import Generation


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """The generation in force and who runs it."""

    number: int
    created: float
    tenants: int
    pools: int
    vmtas: int
    ledger: int
    """Number the ledger has; another one is published again by itself."""
    workers: dict[str, int]
    """Live gateway workers and the generation each runs."""


class OpenLedger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's opening of a ledger that lost its counts."""

    confirm: bool
    """Today's counts are gone: each IP may be given its day's quota once more."""
    reason: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can do its work."""

    ready: bool
    problems: list[str] = []


class Nothing(msgspec.Struct, frozen=True):
    """No view: the change concerns the whole plan."""


async def _explain(call: Call) -> Explanation:
    generation = await _generation(call)
    question: Question = call.body
    found = asked(generation, question)
    largest = call.core.settings.gateway.max_message_size
    if question.size is not None and question.size > largest:
        return Explanation(
            decision="refuse",
            sentence=f"{question.size} octets are more than the gateway takes ({largest})",
            change="raise gateway.max_message_size, and PowerMTA's own limit",
            pool=found.pool.name,
            pool_why=found.pool_why,
            mailbox=found.mailbox,
            provider=found.provider,
            generation=generation.number,
        )
    await call.core.opening.must_be_open()
    # Some process would meet each of them: what goes in spite of all goes in any.
    circuits = sentences(circuits_view(await call.core.admin.circuits()))
    try:
        answer = await call.core.ledger.decide([found.reserve(circuits)])
    except LedgerClosedError as error:
        raise RefusedError(f"{error}; see `sendgate ledger status`", status=503) from error
    except LedgerAwayError as error:
        raise RefusedError(f"the ledger does not answer: {error}", status=503) from error
    decision = answer.decisions[0]
    assert isinstance(decision, Granted | Denied)  # a dry question has no key
    ips = [v.ip for v in generation.vmtas]
    now, usage = await call.core.admin.usage(ips)
    closed = await closed_ips(call.core.pool, call.core.admin)
    return explanation(generation, found, decision, usage, now, circuits, closed)


async def _clock(call: Call) -> ClockView:
    return await call.core.clock.show()


async def _move_clock(call: Call) -> ClockView:
    return await call.core.clock.move(call.body)


async def _generation(call: Call) -> Generation:
    generation = await call.core.publisher.current()
    if generation is None:
        raise RefusedError("nothing has been published yet", status=404)
    return generation


async def _show_generation(call: Call) -> GenerationView:
    generation = await _generation(call)
    return GenerationView(
        number=generation.number,
        created=generation.created,
        tenants=len(generation.tenants),
        pools=len(generation.pools),
        vmtas=len(generation.vmtas),
        ledger=await call.core.admin.number(),
        workers=await call.core.admin.workers(),
    )


async def _publish(call: Call) -> Changed[Nothing]:
    async def act(a: Act) -> Nothing:
        await a.audit("generation.publish", "generation")
        return Nothing()

    return await changed(call, act)


async def _ledger(call: Call) -> LedgerStatus:
    return await call.core.opening.status()


async def _open_ledger(call: Call) -> LedgerStatus:
    body: OpenLedger = call.body
    if not body.confirm:
        raise RefusedError("confirm must be true: today's counts are gone", status=400)
    status = await call.core.opening.open_again(call.who, body.reason)
    await call.core.publisher.reconcile(call.who)
    return status


async def _servers(call: Call) -> list[ServerRow]:
    return await servers(call.core.pool)


async def _put_server(call: Call) -> Changed[ServerAddresses]:
    async def act(a: Act) -> ServerAddresses:
        body: ServerAddresses = call.body
        return msgspec.structs.replace(body, name=await server.put(a, body))

    return await changed(call, act)


async def _server(call: Call) -> ServerRow:
    name = call.path["server"]
    for found in await servers(call.core.pool, [name]):
        return found
    raise missing("PowerMTA server", name)


async def _remove_server(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return Removed(noun="server", name=await server.remove(a, call.path["server"], call.reason))

    return await changed(call, act)


async def _config(call: Call) -> str:
    return await call.core.publisher.config_text(await _generation(call))


async def _circuits(call: Call) -> CircuitsView:
    return circuits_view(await call.core.admin.circuits())


async def _keys(call: Call) -> list[KeyFile]:
    if not call.core.settings.control.pmta_keys:
        raise RefusedError(
            "control.pmta_keys is not set: PowerMTA signs nothing; set it to the folder of the "
            "key files as PowerMTA sees it"
        )
    found = await call.core.publisher.key_files()
    return [KeyFile(name=name, pem=pem.decode("ascii")) for name, pem in found.items()]


async def _healthz(_: Call) -> Health:
    return Health(ready=True)


async def _readyz(call: Call) -> Health:
    try:
        status = await call.core.opening.status()
    except Exception as error:  # noqa: BLE001 - whatever the database says, we are not ready
        return Health(ready=False, problems=[f"PostgreSQL: {error}"])
    if status.state is LedgerState.OPEN:
        return Health(ready=True)
    return Health(ready=False, problems=[f"ledger: {status.detail}"])


ROUTES = [
    Route("GET", "/healthz", "The process lives", _healthz, Health, public=True),
    Route("GET", "/readyz", "It can do its work (else 503)", _readyz, Health, public=True),
    Route(
        "POST",
        "/api/v2/explain",
        "Why a message would go where it goes; charges nothing",
        _explain,
        Explanation,
        body=Question,
    ),
    Route("GET", "/api/v2/clock", "Calendar time", _clock, ClockView),
    Route(
        "POST",
        "/api/v2/clock",
        "Move calendar time forward (embedded stacks)",
        _move_clock,
        ClockView,
        body=ClockMove,
    ),
    Route("GET", "/api/v2/generation", "The plan in force", _show_generation, GenerationView),
    Route("POST", "/api/v2/generation", "Publish again", _publish, Changed[Nothing], query=DRY),
    Route("GET", "/api/v2/ledger", "Whether the ledger is open", _ledger, LedgerStatus),
    Route(
        "POST",
        "/api/v2/ledger",
        "Open a ledger that lost its counts",
        _open_ledger,
        LedgerStatus,
        body=OpenLedger,
    ),
    Route("GET", "/api/v2/servers", "PowerMTA servers", _servers, list[ServerRow]),
    Route("GET", "/api/v2/servers/{server}", "One PowerMTA server", _server, ServerRow),
    Route(
        "DELETE",
        "/api/v2/servers/{server}",
        "Remove a PowerMTA server that no IP is on",
        _remove_server,
        Changed[Removed],
        query=GONE,
    ),
    Route("GET", "/api/v2/circuits", "Who leaves which server alone", _circuits, CircuitsView),
    Route(
        "POST",
        "/api/v2/servers",
        "Add a PowerMTA server or replace its addresses",
        _put_server,
        Changed[ServerAddresses],
        body=ServerAddresses,
        query=DRY,
    ),
    Route("GET", "/api/v2/powermta/config", "PowerMTA's configuration", _config, str),
    Route("GET", "/api/v2/powermta/keys", "Its DKIM key files (private)", _keys, list[KeyFile]),
]
