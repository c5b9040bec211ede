"""When what waits will be gone: by the plan in force, each tenant for itself."""

from collections.abc import AsyncIterator

import pytest

from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import (
    TOKEN,
    Api,
    Command,
    api_of,
    build,
    control_core,
    settings_for,
)
from tests.support.hold.held import MIDNIGHT, hold


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as opened:
        # 13 June 2038: the clock seam only goes forward, so a day ahead of every machine.
        await opened.admin.set_clock(25_000 * 86_400_000 + 3_600_000)
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for number, name in enumerate(("acme", "globex")):
            body = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", body))[0] == 201
            domain = {"tenant": name, "domain": f"{name}.example", "quota": 10}
            domain["ip"] = f"192.0.2.{number + 1}"
            assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        yield opened


async def test_a_forecast_divides_what_waits_by_what_is_coming(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await api("PATCH", "/api/v2/ips/192.0.2.1", {"ceilings": {"gmail": 2}})
    for number in range(7):
        await hold(core.pool, f"g{number}", arrived=MIDNIGHT + number)
    await hold(core.pool, "stopped", paused=True)
    await hold(core.pool, "y1", provider="yahoo")
    await hold(core.pool, "doubt", state="doubt")
    await hold(core.pool, "other", tenant="globex", pool="globex")
    await hold(core.pool, "lost", pool="no-such-pool")
    _, found = await api("GET", "/api/v2/hold/forecast?tenant=acme")
    rows = {(r["pool"], r["provider"]): r for r in found["rows"]}
    assert set(rows) == {("acme", "gmail"), ("acme", "yahoo"), ("no-such-pool", "gmail")}
    gmail = rows["acme", "gmail"]
    assert (gmail["waiting"], gmail["paused"], gmail["a_day"], gmail["days"]) == (7, 1, 2, 3.5)
    assert gmail["gone"] == "2038-06-17", "four days after the clock's 13 June"
    assert rows["acme", "yahoo"]["a_day"] == 10
    lost = rows["no-such-pool", "gmail"]
    assert (lost["a_day"], lost["days"], lost["gone"]) == (0, None, "")
    _, every = await api("GET", "/api/v2/hold/forecast")
    assert {r["tenant"] for r in every["rows"]} == {"acme", "globex"}
    _, first = await api("GET", "/api/v2/explain/g0")
    assert (first["before"], "2038-06-14" in first["forecast"]) == (0, True)
    _, last = await api("GET", "/api/v2/explain/g6")
    assert (last["before"], "2038-06-17" in last["forecast"]) == (6, True), last["forecast"]
    _, never = await api("GET", "/api/v2/explain/lost")
    assert "nobody can say" in never["forecast"]
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    shown = await command("hold", "forecast", "--tenant", "acme")
    assert "2038-06-17" in shown
    assert "never" in shown
    assert "globex" not in shown
    assert "forecast: not after 2038-06-17" in await command("explain", "--message", "g6")


async def test_a_forecast_minds_the_sending_hours(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is 01:00 UTC of 13 June: 03:00 in Paris, whose hours were over at two."""
    await api("PATCH", "/api/v2/ips/192.0.2.1", {"quota": "unlimited"})
    await hold(core.pool, "g0")
    path = "/api/v2/hold/forecast?tenant=acme"
    (row,) = (await api("GET", path))[1]["rows"]
    assert (row["days"], row["gone"], row["opens"]) == (0.0, "2038-06-13", "")
    hours = {"hours": "01:30-02:00", "zone": "Europe/Paris"}
    assert (await api("PATCH", "/api/v2/tenants/acme", hours))[0] == 200
    (row,) = (await api("GET", path))[1]["rows"]
    assert (row["days"], row["gone"], row["opens"]) == (0.0, "2038-06-13", "2038-06-13T23:30:00Z")
    hours = {"hours": "02:30-03:00", "zone": "Europe/Paris"}
    assert (await api("PATCH", "/api/v2/tenants/acme", hours))[0] == 200
    (row,) = (await api("GET", path))[1]["rows"]
    assert (row["days"], row["gone"], row["opens"]) == (0.0, "2038-06-14", "2038-06-14T00:30:00Z")
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    shown = await command("hold", "forecast")
    assert "the sending hours of acme begin 2038-06-14T00:30:00Z" in shown
    shown = await command("explain", "--message", "g0")
    assert "forecast: not after 2038-06-14" in shown
    assert "the sending hours begin 2038-06-14T00:30:00Z" in shown


async def test_a_shortfall_is_shown_by_day_and_pool(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = int((await core.publisher.now()).timestamp()) // 86_400
    for back, tenant, behind in ((0, "acme", 3), (1, "acme", 2), (1, "globex", 1), (8, "acme", 9)):
        await core.pool.execute(
            "INSERT INTO hold_shortfall (day, tenant, pool, at, mailboxes, behind, missing, most)"
            " VALUES ($1, $2, $2, $3, 10, $4, 40, 20)",
            *(day - back, tenant, (day - back) * 86_400_000 + 5_000, behind),
        )
    await core.pool.execute(
        "INSERT INTO hold_shortfall (day, tenant, pool, at, mailboxes, behind, missing, most)"
        " VALUES ($1, 'acme', 'well', 0, 10, 0, 0, 0)",
        day,
    )
    status, found = await api("GET", "/api/v2/hold/shortfall?tenant=acme")
    assert status == 200
    rows = [(r["day"], r["over"], r["pool"], r["behind"], r["missing"]) for r in found["rows"]]
    assert rows == [("2038-06-13", False, "acme", 3, 40), ("2038-06-12", True, "acme", 2, 40)]
    assert len((await api("GET", "/api/v2/hold/shortfall"))[1]["rows"]) == 3
    assert (await api("GET", "/api/v2/hold/shortfall?tenant=nobody"))[0] == 404
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    shown = await Command(api, capsys)("hold", "shortfall", "--tenant", "acme")
    assert "2038-06-13 (so far)" in shown
    assert "2038-06-12T00:00:05Z" in shown
    assert "globex" not in shown
