"""Filters of lists: the same words everywhere, each with all others, and in parts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import TOKEN, Api, Command, api_of


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """acme: two domains, of which one's pool overflows to another, and that to a third; Other."""
    async with api_of(core) as opened:
        for name in ("acme", "Other"):
            new = {"name": name, "login": f"{name}-in", "password": "correct horse"}
            await done(opened, "POST", "/api/v2/tenants", new)
        for tenant, domain, ip, pool in (
            ("acme", "news.example", "192.0.2.1", None),
            ("acme", "shop.example", "192.0.2.2", "fast"),
            ("acme", "slow.example", "192.0.2.3", "slow"),
            ("Other", "news.other.example", "192.0.2.4", None),
        ):
            added = {"tenant": tenant, "domain": domain, "ip": ip, "quota": 5, "pool": pool}
            await done(opened, "POST", "/api/v2/domains", added)
        await done(opened, "PATCH", "/api/v2/pools/fast", {"overflow": "acme"})
        await done(opened, "PATCH", "/api/v2/pools/slow", {"overflow": "fast"})
        await done(opened, "POST", "/api/v2/pools/slow/pause")
        await done(opened, "POST", "/api/v2/tenants/Other/pause")
        await done(opened, "PATCH", "/api/v2/ips/192.0.2.3", {"state": "pause"})
        await done(opened, "POST", "/api/v2/warmup/plans", {"name": "steady", "quotas": [50, 100]})
        await done(opened, "PATCH", "/api/v2/ips/192.0.2.4", {"quota": None, "plan": "steady"})
        at_yahoo = {"action": "pause", "provider": "yahoo", "reason": "slow"}
        await done(opened, "POST", "/api/v2/warmup/ips/192.0.2.4", at_yahoo)
        yield opened


async def done(api: Api, method: str, path: str, body: Any = None) -> None:
    status, answer = await api(method, path, body)
    assert status < 300, (path, answer)


FOUND: dict[str, tuple[str, set[str]]] = {
    "tenants?state=active": ("name", {"acme"}),
    "tenants?state=paused": ("name", {"Other"}),
    "tenants?state=leaving": ("name", set()),
    "tenants?containing=OTH": ("name", {"Other"}),
    "tenants?containing=oth&state=active": ("name", set()),
    "tenants?containing=%25": ("name", set()),
    "pools?state=paused": ("name", {"slow"}),
    "pools?state=active&tenant=acme": ("name", {"acme", "fast"}),
    "pools?containing=AS": ("name", {"fast"}),
    "domains?containing=NEWS": ("domain", {"news.example", "news.other.example"}),
    "domains?containing=news&tenant=acme": ("domain", {"news.example"}),
    "domains?ip=192.0.2.1": ("domain", {"news.example", "shop.example", "slow.example"}),
    "domains?ip=192.0.2.2": ("domain", {"shop.example", "slow.example"}),
    "domains?ip=192.0.2.3&containing=slow": ("domain", {"slow.example"}),
    "domains?ip=192.0.2.9": ("domain", set()),
    "ips?state=paused": ("ip", {"192.0.2.3"}),
    "ips?state=paused&tenant=Other": ("ip", set()),
    "ips?domain=news.example": ("ip", {"192.0.2.1"}),
    "ips?domain=SLOW.example": ("ip", {"192.0.2.1", "192.0.2.2", "192.0.2.3"}),
    "ips?domain=slow.example&containing=2.2": ("ip", {"192.0.2.2"}),
    "ips?containing=VMTA-192-0-2-4": ("ip", {"192.0.2.4"}),
    "ips?domain=news.example&tenant=Other": ("ip", set()),
    "ips?pool=fast": ("ip", {"192.0.2.2"}),
    "ips?pool=none": ("ip", set()),
}
_OF_IPS = {
    "?": {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"},
    "?state=paused": {"192.0.2.3"},
    "?state=paused&tenant=Other": set(),
    "?tenant=acme": {"192.0.2.1", "192.0.2.2", "192.0.2.3"},
    "?ip=192.0.2.2": {"192.0.2.2"},
    "?ip=192.0.2.9": set(),
    "?pool=slow": {"192.0.2.3"},
    "?pool=slow&state=active": set(),
    "?domain=shop.example": {"192.0.2.1", "192.0.2.2"},
    "?containing=2.4": {"192.0.2.4"},
}
"""The same for what IPs used and for their warm-up."""
for _asked, _ips in _OF_IPS.items():
    FOUND |= {f"{noun}{_asked}": ("ip", _ips) for noun in ("quota", "warmup")}
FOUND |= {
    "warmup?plan=steady": ("ip", {"192.0.2.4"}),
    "warmup?plan=other": ("ip", set()),
    "warmup?provider=yahoo": ("ip", {"192.0.2.4"}),
    "warmup?provider=gmail": ("ip", set()),
    "quota?provider=*": ("ip", _OF_IPS["?"]),
    "quota?provider=yahoo&pool=Other": ("ip", {"192.0.2.4"}),
}


@pytest.mark.parametrize("asked", FOUND)
async def test_each_filter_finds_what_it_says_whole_and_in_parts(api: Api, asked: str) -> None:
    field, wanted = FOUND[asked]
    status, answer = await api("GET", f"/api/v2/{asked}")
    assert (status, {one[field] for one in answer}) == (200, wanted)  # type: ignore[union-attr]
    found: list[str] = []
    following = f"/api/v2/{asked}&limit=1"
    while following:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with api.session.get(api.url + following, headers=headers) as part:
            assert part.status == 200
            found += [one[field] for one in await part.json()]
            following = part.headers.get("Link", "").removeprefix("<").partition(">")[0]
    # Of what an IP used there are several rows.
    assert sorted(set(found)) == sorted(wanted)
    assert len(found) == len(answer)


async def test_of_what_an_ip_used_a_provider_has_its_row_beside_the_one_of_all(api: Api) -> None:
    for asked, wanted in (
        ("ip=192.0.2.4&provider=yahoo", {"*", "yahoo"}),
        ("ip=192.0.2.4&provider=*", {"*"}),
        # An IP with a quota of its own, and nothing sent there.
        ("ip=192.0.2.1&provider=gmail", {"*"}),
    ):
        _, rows = await api("GET", f"/api/v2/quota?{asked}")
        assert {row["provider"] for row in rows} == wanted, asked  # type: ignore[attr-defined]
    for noun in ("quota", "warmup"):
        status, refused = await api("GET", f"/api/v2/{noun}?provider=gmial")
        assert (status, refused["errors"][0]["field"]) == (400, "provider")  # type: ignore[index]


async def test_what_a_domain_shows_is_what_the_filter_finds(api: Api) -> None:
    _, every = await api("GET", "/api/v2/domains")
    for one in every:  # type: ignore[attr-defined]
        _, ips = await api("GET", f"/api/v2/ips?domain={one['domain']}&tenant={one['tenant']}")
        assert {ip["vmta"] for ip in ips} == set(one["vmtas"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("tenants?state=new", "state"),
        ("ips?state=retired", "state"),
        ("ips?domain=", "domain"),
        ("ips?domain=acme", "domain"),
        ("domains?ip=192.0.2", "ip"),
        ("pools?containing=", "containing"),
        ("quota?ip=192.0.2", "ip"),
        ("warmup?pool=", "pool"),
    ],
)
async def test_a_word_that_is_none_is_refused_by_name(api: Api, asked: str, field: str) -> None:
    status, refused = await api("GET", f"/api/v2/{asked}")
    assert (status, refused["errors"][0]["field"]) == (400, field)  # type: ignore[index]


async def test_commands_have_the_same_words(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    for line, there, away in (
        ("tenant list --state paused", "Other", "acme"),
        ("pool list --containing fas", "fast", "slow"),
        ("domain list --ip 192.0.2.2 --all", "shop.example", "news.example"),
        ("ip list --domain news.example --state new --limit 5", "", "192.0.2.1 "),
        ("ip list --state paused", "192.0.2.3", "192.0.2.2"),
        ("quota --pool fast --all", "192.0.2.2", "192.0.2.3"),
        ("quota --provider yahoo --ip 192.0.2.4", "yahoo", "192.0.2.3"),
        ("warmup status --plan steady --limit 3", "192.0.2.4", "192.0.2.3"),
        ("warmup status --provider yahoo", "192.0.2.4", "192.0.2.3"),
    ):
        found = await command(*line.split())
        assert there in found, line
        assert away not in found, line
    assert "--state" in await command("ip", "list", "--state", "gone", code=2)
    assert "no filter holds" in await command(
        *("warmup", "status", "192.0.2.4", "--plan", "steady"), code=2
    )
    assert "no other filter" in await command("quota", "--limits", "--pool", "fast", code=2)
    assert "provider" in await command("quota", "--provider", "gmial", code=2)
