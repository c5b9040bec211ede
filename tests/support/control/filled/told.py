"""What control and its neighbours say: alerts, jobs, lists, decisions, servers, the audit log."""

import json
import zlib
from collections.abc import Callable

import msgspec

from control.parts import Parts
from control.pmta.offer import Applied
from control.pmta.told import Report, Told
from policy.ledger.bulletin import CIRCUITS, OpenCircuit, encode
from settings.statements import statements

SQL = statements(__package__, "told")

SAID = "550 5.7.1 Service unavailable; client host blocked, see https://postmaster.example/block"
JOBS = (
    ("blocklists", 1, "", "done", 1, "14 IPs and 6 domains at 5 lists: 1 listed, 2 unknown"),
    ("blocklists", 5, "erika@example.org", "failed", 2, "no nameserver answered within 10 s"),
    ("cleanup", 27, "", "done", 1, "deleted 1,204 held rows, 88,210 outcomes"),
    ("cleanup", 3, "", "dead", 12, "PostgreSQL is away: connection refused"),
    ("dns", 9, "", "done", 1, "6 domains: 5 as they should be, 1 lacks its DKIM record"),
)
LISTS = (
    ("192.0.2.14", "zen.spamhaus.org", "listed", "", "listed", "127.0.0.4", "XBL: exploited"),
    ("192.0.2.11", "zen.spamhaus.org", "clean", "", "clean", "", ""),
    ("192.0.2.11", "b.barracudacentral.org", "unknown", "no answer in 5 s", "clean", "", ""),
    ("192.0.2.12", "bl.spamcop.net", "clean", "", "clean", "", ""),
)
ALERTS = (
    ("blocklist:192.0.2.14", "critical", "192.0.2.14 is listed at zen.spamhaus.org since 08:12."),
    ("reply:gmail", "warning", "gmail refuses mail of 192.0.2.12: 4.7.28, 34 times in an hour."),
    ("pool:acme", "info", "22 of 30 held messages of pool acme wait for one IP."),
    ("pmta:pmta2", "warning", "pmta2 was away for 3 minutes."),
)


async def put(core: Parts, written: Callable[[str], str], now: int) -> None:
    """As of `now`, calendar milliseconds."""
    run, who, node = core.pool.execute, written("erika@example.org"), written("control-1")
    await run(
        *(SQL["alerts"], now),
        *([f"{key}{written('')}" for key, _, _ in ALERTS], [kind for _, kind, _ in ALERTS]),
        *([written(what) for _, _, what in ALERTS], [written("sendgate explain")] * len(ALERTS)),
        *(["", who, "", ""], [None, now, None, None], [None, None, None, now]),
    )
    await run(SQL["mutes"], now, written("pool:globex"), who, written("known until Monday"))
    names, ages, hands, states, tries, said = zip(*JOBS, strict=True)
    hands = tuple(written(hand) if hand else "" for hand in hands)
    said = tuple(written(text) for text in said)
    await run(SQL["jobs"], now, node, names, ages, hands, states, tries, said)
    subjects, zones, of, trouble, known, codes, means = zip(*LISTS, strict=True)
    trouble = tuple(written(text) if text else "" for text in trouble)
    codes = tuple(written(code) if code else "" for code in codes)
    means = tuple(written(text) if text else "" for text in means)
    said = tuple(written("https://check.example/query/ip/192.0.2.14") for _ in LISTS)
    await run(SQL["lists"], now, subjects, zones, of, trouble, known, codes, means, said)
    sentence = "7 of 7 days count, 0.4 % bounced: stage 6, 900 a day"
    await run(SQL["decisions"], now, written(sentence), who, written("as planned"))
    await _servers(core, written, now, who)
    before = json.dumps({"quota": 500, "note": written("as the plan says")})
    after = json.dumps({"quota": 900, "note": written("as the customer asked")})
    await run(SQL["audit"], who, written("192.0.2.11"), before, after, written("ticket 4711"))
    await run(SQL["rotation"], written("ns1.acme.example does not have it yet"))


async def _servers(core: Parts, written: Callable[[str], str], now: int, who: str) -> None:
    run, agent = core.pool.execute, written("pmta-host-2")
    texts = [{"config": f"max-smtp-out {n}\n# {written(SAID)}\n"} for n in (5, 7)]
    files = [zlib.compress(json.dumps(text).encode()) for text in texts]
    await run(SQL["versions"], now, who, files, written("domain.add shop.example"))
    await run(SQL["desired"], now, written("rolled back by hand"), who)
    applied = Applied(
        agent=agent,
        server="pmta2",
        state="failed",
        tried=1,
        step="test",
        problem=written("line 12: unknown directive"),
        drift=[written("config was changed by hand")],
    )
    await run(SQL["agent"], now, agent, msgspec.json.encode(applied).decode())
    told = Told(
        version=written("5.0r8"),
        licence_end=written("2027-03-31"),
        queued=10_233,
        in_last_hour=88_120,
        out_last_hour=86_004,
        connections_in=12,
        connections_out=340,
        problems=(written("show queues timed out"),),
    )
    report = Report(agent=agent, agent_version="1.0", server="pmta2", told=told)
    await run(SQL["status"], now, agent, msgspec.json.encode(report).decode())
    file = written("/var/log/pmta/acct-2026-11-30.csv")
    gap, problem = written("acct-2026-11-29.csv is gone"), written("line 7 is no record")
    await run(SQL["stream"], now, file, gap, problem, agent)
    client, root = core.admin.client, core.admin.root
    seconds, _ = await client.time()  # type: ignore[misc]
    await client.zadd(f"{root}workers", {"worker-1": seconds + 3600})
    resting = OpenCircuit("server", "pmta2", "open", written(SAID), 8.0)
    await client.hset(f"{root}{CIRCUITS}", "worker-1", encode([resting]))  # type: ignore[misc]
