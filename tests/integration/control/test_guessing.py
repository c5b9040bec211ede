"""Names of another tenant's things answer like names of nothing: the same words, as fast.

Measured in pairs, turn about, so that what else the machine does falls on both. Each pair gives one
difference; their median is held against its own standard error (from the median absolute deviation,
that single slow answers do not move), for each path, and for all together by weight: one look-up
more for what exists takes 0.1 ms, which a busy machine hides on some paths, and not on all.
"""

import statistics
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from control.parts import Parts
from control.store.change import Act
from control.users.token import new_token, put
from tests.support.control.core import Api, api_of

PAIRS = 100
ERRORS = 6.0
"""Standard errors within which a median of differences is noise."""
LEAST = 0.05
"""Share of the median answer that is noise whatever the error says."""
PATHS = [
    ("/api/v2/tenants/{}", "zzother", "zznoone"),
    ("/api/v2/tenants/{}/logins", "zzother", "zznoone"),
    ("/api/v2/tenants/{}/networks", "zzother", "zznoone"),
    ("/api/v2/tenants/{}/mailboxes", "zzother", "zznoone"),
    ("/api/v2/tenants/{}/mailboxes/a@zzother.example", "zzother", "zznoone"),
    ("/api/v2/tenants/acme/mailboxes/{}", "a@zzother.example", "a@zznoone.example"),
    ("/api/v2/pools/{}", "zzpool", "zznone"),
    ("/api/v2/domains/{}", "zzother.example", "zznoone.example"),
    ("/api/v2/domains/{}/check", "zzother.example", "zznoone.example"),
    ("/api/v2/ips/{}", "10.9.0.2", "10.9.0.9"),
    ("/api/v1/ips/{}", "10.9.0.2", "10.9.0.9"),
    ("/api/v2/warmup/ips/{}", "10.9.0.2", "10.9.0.9"),
]
"""(path, a name of the other tenant's, one of nothing)."""


class Compared(NamedTuple):
    """Of one path, milliseconds."""

    apart: float
    """Median of what another's took more than nothing's."""
    error: float
    """Its standard error."""
    answer: float
    """Median of an answer."""


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With two tenants that have a pool, a domain and an IP each."""
    async with api_of(core) as opened:
        for number, name in ((1, "acme"), (2, "zzother")):
            pool = "spare" if name == "acme" else "zzpool"
            for path, body in (
                ("tenants", {"name": name, "login": name, "password": "correct horse"}),
                ("pools", {"tenant": name, "name": pool}),
                (
                    "domains",
                    {"tenant": name, "domain": f"{name}.example", "ip": f"10.9.0.{number}"},
                ),
            ):
                status, answer = await opened("POST", f"/api/v2/{path}", body)
                assert status == 201, answer
            mailbox = f"/api/v2/tenants/{name}/mailboxes/a@{name}.example"
            status, answer = await opened("PUT", mailbox, {"daily_max": 100})
            assert status in (200, 201), answer
        yield opened


@pytest.fixture
async def acmes(core: Parts) -> str:
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "acme's", made, "operator", "acme")

    await core.publisher.change("test", act)
    return made


def without(answer: tuple[int, Any], name: str) -> str:
    """An answer but for the name asked for, and the request's id."""
    status, body = answer
    shown = {key: value for key, value in body.items() if key != "request_id"}
    return f"{status} {shown}".replace(name, "X")


async def took(api: Api, path: str, token: str) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    status, _ = await api("GET", path, token=token)
    ended = time.perf_counter()
    assert status == 404
    return 1000 * (ended - started)


@pytest.mark.parametrize(("path", "others", "nothings"), PATHS)
async def test_what_is_anothers_is_told_like_what_is_not_there(
    api: Api, acmes: str, path: str, others: str, nothings: str
) -> None:
    foreign, missing = path.format(others), path.format(nothings)
    # The other tenant's is there for who may see it: else both would be names of nothing.
    if "tenants/acme" not in path and not path.endswith("/check"):
        assert (await api("GET", foreign))[0] == 200
    first = await api("GET", foreign, token=acmes)
    second = await api("GET", missing, token=acmes)
    said = [without(a, name) for a, name in ((first, others), (second, nothings))]
    assert said[0] == said[1]
    assert first[0] == 404


async def test_what_is_anothers_answers_as_fast_as_what_is_not_there(api: Api, acmes: str) -> None:
    found = {
        path: await compared(api, path.format(others), path.format(nothings), acmes)
        for path, others, nothings in PATHS
    }
    for path, one in found.items():
        assert abs(one.apart) < max(ERRORS * one.error, LEAST * one.answer), f"{path}: {one}"
    weights = {path: one.error**-2 for path, one in found.items()}
    whole = sum(weights.values())
    apart = sum(weights[path] * one.apart for path, one in found.items()) / whole
    answer = sum(weights[path] * one.answer for path, one in found.items()) / whole
    assert abs(apart) < max(ERRORS * whole**-0.5, LEAST * answer), found


async def compared(api: Api, foreign: str, missing: str, token: str) -> Compared:
    """Asked turn about: the first of a pair may find things cold, so who is first changes."""
    differences, answers = [], []
    for turn in range(PAIRS):
        order = (foreign, missing) if turn % 2 else (missing, foreign)
        times = {path: await took(api, path, token) for path in order}
        differences.append(times[foreign] - times[missing])
        answers.append(times[missing])
    apart = statistics.median(differences)
    spread = 1.4826 * statistics.median(abs(d - apart) for d in differences)
    return Compared(apart, 1.2533 * spread / PAIRS**0.5, statistics.median(answers))
