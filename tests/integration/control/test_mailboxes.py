"""Mailboxes by API and by command: limits, ramps over days, lists, what is discovered."""

import csv
import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from control.parts import Parts
from policy.denial import Denied
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Granted, Reserve
from policy.limits import DAY
from tests.support.control.core import TOKEN, Api, Command

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
PATH = "/api/v2/tenants/acme/mailboxes"
NEWS = "news@acme.example"


async def acme(api: Api, **terms: object) -> None:
    """Acme with an IP whose quota is out of the way."""
    assert (await api("POST", "/api/v2/tenants", {**ACME, **terms}))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10", "quota": 100_000}
    status, said = await api("POST", "/api/v2/domains", {**domain, "hourly_share": 1.0})
    assert status == 201, said


class Sending:
    """Reservations as a gateway makes them."""

    def __init__(self, core: Parts) -> None:
        self.ledger = RedisLedger(core.admin.client)

    async def __call__(self, mailbox: str, most: int = 20) -> tuple[int, str]:
        """How many may go, and what stops the next."""
        await self.ledger.attach()
        asked = [Reserve("acme", "acme", mailbox, (("other", 1),))] * most
        answers = (await self.ledger.decide(asked)).decisions
        denied = [one for one in answers if isinstance(one, Denied)]
        granted = [one for one in answers if isinstance(one, Granted)]
        return len(granted), denied[0].limit.value if denied else ""


async def later(core: Parts, days: int) -> None:
    now, _ = await core.admin.now()
    await core.admin.set_clock(now + days * DAY)


async def view(api: Api, address: str) -> Any:
    status, found = await api("GET", f"{PATH}/{address}")
    assert status == 200, found
    return found


async def test_a_ramp_goes_on_by_the_days_alone(api: Api, core: Parts) -> None:
    await acme(api, mailbox_ramp=[2, 5], mailbox_min=4)
    status, said = await api("PUT", f"{PATH}/{NEWS}", {"ramp": [1, 3, 6], "daily_max": 5})
    assert status == 200, said
    sends, number = Sending(core), await core.admin.number()
    for days, own, other in ((0, 1, 2), (6, 1, 2), (1, 3, 5), (7, 5, 5), (20, 5, 5)):
        await later(core, days)
        assert (await sends(NEWS))[0] == own
        assert (await sends("found@acme.example")) == (other, "mailbox_ramp")
    # No stage was published.
    assert await core.admin.number() == number
    found = await view(api, NEWS)
    assert (found["stage"], found["stages"], found["limit"]) == (3, 3, "mailbox_max")
    assert (found["sent"], found["most"], found["least"], found["behind"]) == (5, 5, 4, 0)
    assert found["next"].endswith("T00:00:00Z")
    later_one = await view(api, "found@acme.example")
    assert (later_one["added"], later_one["stage"], later_one["sent"]) == (False, 2, 5)


async def test_a_minimum_is_what_the_ramp_leaves_of_it(api: Api, core: Parts) -> None:
    await acme(api, mailbox_ramp=[2, 50], mailbox_min=30)
    await api("PUT", f"{PATH}/{NEWS}", {"daily_max": 40})
    assert (await view(api, NEWS))["least"] == 2
    await Sending(core)(NEWS, most=1)
    assert (await view(api, NEWS))["behind"] == 1
    await later(core, 7)
    found = await view(api, NEWS)
    assert (found["most"], found["least"], found["behind"]) == (40, 30, 30)
    assert (found["sent"], found["sent_yesterday"]) == (0, 0)


async def test_settings_give_what_no_tenant_says(api: Api, core: Parts) -> None:
    await acme(api)
    generation = await core.admin.current()
    assert generation is not None
    common = generation.tenants[0].mailbox_default
    assert (common.daily_min, common.spacing, common.spacing_max) == (None, None, None)
    wrong = {"mailbox_spacing": 5.0, "mailbox_spacing_max": 2.0}
    status, problem = await api("PATCH", "/api/v2/tenants/acme", wrong)
    assert (status, problem["errors"][0]["field"]) == (400, "mailbox_spacing_max")
    assert (await api("PATCH", "/api/v2/tenants/acme", {"mailbox_min": 9}))[0] == 200
    status, problem = await api("PATCH", "/api/v2/tenants/acme", {"mailbox_max": 5})
    assert (status, problem["errors"][0]["field"]) == (400, "mailbox_min")
    assert (await api("PATCH", "/api/v2/tenants/acme", {"mailbox_min": None}))[0] == 200
    for body, field in (
        ({"spacing_max": 3.0}, "spacing_max"),
        ({"spacing": 3.0, "spacing_max": 2.0}, "spacing_max"),
        ({"daily_max": 3, "daily_min": 4}, "daily_min"),
        ({"ramp": [0]}, "ramp"),
        ({"ramp_from": "yesterday"}, "ramp_from"),
        ({"ramp_from": "1969-12-31"}, "ramp_from"),
        ({"ramp_from": "9999-12-31"}, "ramp_from"),
    ):
        status, problem = await api("PUT", f"{PATH}/{NEWS}", body)
        assert status == 400, body
        assert problem["errors"][0]["field"].startswith(field), problem


async def test_who_was_not_added_is_refused_where_the_tenant_says_so(api: Api, core: Parts) -> None:
    await acme(api, mailbox_unknown="refuse")
    await api("PUT", f"{PATH}/{NEWS}", {"daily_max": 3})
    sends = Sending(core)
    assert await sends(NEWS) == (3, "mailbox_max")
    assert await sends("other@acme.example") == (0, "mailbox_unknown")
    assert (await api("GET", f"{PATH}/other@acme.example"))[0] == 404
    await api("PATCH", "/api/v2/tenants/acme", {"mailbox_unknown": "discover"})
    assert await sends("other@acme.example", most=2) == (2, "")
    status, found = await api("GET", f"{PATH}/discovered")
    assert status == 200
    assert [(m["address"], m["sent"]) for m in found["mailboxes"]] == [("other@acme.example", 2)]
    assert found["cursor"] is None


async def test_a_mailbox_has_a_minute_and_an_hour_of_its_own(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    await acme(api, mailbox_minute=3, mailbox_hour=8)
    command, sends = Command(api, capsys), Sending(core)
    await command("mailbox", "set", NEWS, "--tenant", "acme", "--per-minute", "5")
    assert (await api("GET", PATH))[1][0]["per_minute"] == 5  # type: ignore[index]
    # Its own in place of the tenant's, and of what it has not the tenant's.
    assert await sends(NEWS) == (5, "mailbox_minute")
    assert await sends("other@acme.example") == (3, "mailbox_minute")
    now, _ = await core.admin.now()
    await core.admin.set_clock(now + 61_000)
    assert await sends(NEWS) == (3, "mailbox_hour")
    await command("mailbox", "set", NEWS, "--tenant", "acme", "--per-hour", "10")
    assert await sends(NEWS) == (2, "mailbox_hour")
    await command("mailbox", "set", NEWS, "--tenant", "acme", "--per-minute", "default")
    assert await sends(NEWS) == (0, "mailbox_hour")
    [row] = (await api("GET", PATH))[1]  # type: ignore[misc]
    assert (row["per_minute"], row["per_hour"]) == (None, 10)
    status, problem = await api("PUT", f"{PATH}/{NEWS}", {"per_hour": -1})
    assert (status, problem["errors"][0]["field"]) == (400, "per_hour")


LIST = """\
address,daily_max,daily_min,spacing,spacing_max,ramp,ramp_from,per_minute,per_hour
One@acme.example,50,30,1.5,2.5,50 200 500,2026-03-01,5,
two@acme.example,,,,,none,,,70
"""


@pytest.mark.parametrize("local", ["{x}", "a{", "%7Bx%7D", "a/b", '"a b"', "o'x", "jürgen"])
async def test_a_mailbox_of_any_spelling_has_its_place(api: Api, core: Parts, local: str) -> None:
    await acme(api)
    path = f"{PATH}/{quote(f'{local}@acme.example', safe='')}"
    for method, body in (("PUT", {"daily_max": 5}), ("GET", None), ("DELETE", None)):
        assert (await api(method, path, body))[0] == 200, method


async def test_a_list_goes_in_and_comes_out(
    api: Api,
    core: Parts,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    await acme(api)
    command, file = Command(api, capsys), tmp_path / "list.csv"
    file.write_text(LIST)
    bring = ("mailbox", "import", str(file), "--tenant", "acme")
    assert "2 mailboxes of acme: 2 added" in await command(*bring, "--dry-run")
    assert (await api("GET", PATH))[1] == []
    assert "2 added" in await command(*bring)
    assert "nothing to do" in await command(*bring)
    out = tmp_path / "out.csv"
    await command("mailbox", "export", "--tenant", "acme", "--output", str(out))
    rows = list(csv.reader(io.StringIO(out.read_text())))
    assert rows == list(csv.reader(io.StringIO(LIST.lower().replace("-03-", "-03-"))))
    # A column that is not there stays.
    file.write_text("address,max\none@acme.example,60\n")
    assert "1 changed" in await command(*bring)
    [one, two] = (await api("GET", PATH))[1]  # type: ignore[misc]
    assert (one["daily_max"], one["daily_min"], one["ramp"]) == (60, 30, [50, 200, 500])
    assert (two["ramp"], two["daily_max"]) == ([], None)
    assert [(m["per_minute"], m["per_hour"]) for m in (one, two)] == [(5, None), (None, 70)]
    assert (await api("GET", f"{PATH}?containing=TWO"))[1] == [two]
    audit = await core.pool.fetch("SELECT after FROM audit_log WHERE action = 'mailbox.import'")
    assert [row["after"]["rows"] for row in audit] == [2, 1]
    shown = await command("mailbox", "show", "one@acme.example", "--tenant", "acme")
    assert "of 3" in shown
    assert "mailbox" in await command("mailbox", "list", "--tenant", "acme", "--discovered")


async def test_every_wrong_line_is_named_and_nothing_is_written(api: Api, core: Parts) -> None:
    await acme(api)
    await api("POST", "/api/v2/tenants", {"name": "b", "login": "b", "password": "correct horse"})
    domain = {"tenant": "b", "domain": "b.example", "ip": "192.0.2.11", "quota": 10}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    await api("PUT", f"{PATH}/there@acme.example", {"daily_max": 5})
    lines = [
        "address,daily_min,spacing,ramp",
        "good@acme.example,1,,",
        "bad,1,,",
        "good@acme.example,2,,",
        "x@acme.example,many,,",
        "y@acme.example,,,50 -1",
        "z@acme.example,1",
        "a@b.example,1,,",
        "there@acme.example,6,,",
    ]
    number = await core.admin.number()
    status, problem = await api("POST", f"{PATH}/import", {"csv": "\n".join(lines)})
    assert status == 400
    assert [error["field"] for error in problem["errors"]] == [
        "line 3", "line 4", "line 5", "line 6", "line 7", "line 8",
    ]  # fmt: skip
    assert "6 lines cannot be used: nothing was changed" in problem["detail"]
    lines = [lines[0], lines[1], lines[-1]]
    status, problem = await api("POST", f"{PATH}/import", {"csv": "\n".join(lines)})
    assert (status, [error["field"] for error in problem["errors"]]) == (400, ["line 3"])
    assert "6 is more than daily_max (5)" in problem["errors"][0]["detail"]
    assert [row["address"] for row in (await api("GET", PATH))[1]] == ["there@acme.example"]  # type: ignore[attr-defined]
    assert await core.admin.number() == number
    for text in ("", "daily_max\n3\n", "address,colour\nx@acme.example,red\n", 'address\n"x\n'):
        status, problem = await api("POST", f"{PATH}/import", {"csv": text})
        assert (status, problem["errors"][0]["field"]) == (400, "csv"), text


async def test_commands_name_the_tenants_word_and_go_back_to_it(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    await acme(api, mailbox_ramp=[5, 10], mailbox_min=3)
    at = ("--tenant", "acme")
    said = await command("mailbox", "set", NEWS, *at, "--max", "4", "--no-ramp")
    assert "daily_max: default -> 4" in said
    assert "ramp: default -> none" in said
    assert (await view(api, NEWS))["stages"] == 0
    shown = await command("mailbox", "show", NEWS, *at)
    assert "daily_max 4, ramp none" in shown
    assert "its daily maximum" in shown
    # What it lacks of its day, not what is due of it by now (`behind_by` of /api/warmup).
    assert "lacks to that" in shown
    listed = (await command("mailbox", "list", *at)).splitlines()[3]
    assert listed.count("tenant's") == 4
    assert "ramp: none -> default" in await command(
        "mailbox", "set", NEWS, *at, "--ramp", "default"
    )
    assert (await view(api, NEWS))["stages"] == 2
    said = await command("tenant", "set", "acme", "--mailbox-min", "default")
    assert "mailbox_min: 3 -> default" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--ramp-from", "2026-13-01"),
            "--ramp-from: '2026-13-01' is not a day such as 2026-03-01",
        ),
        (("--ramp-from", "0001-01-01"), "--ramp-from: 0001-01-01 is not between 1970-01-01 and"),
    ],
)
async def test_a_first_day_that_is_none_is_named(
    api: Api,
    core: Parts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, str],
    said: str,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    await acme(api)
    number = await core.admin.number()
    found = await Command(api, capsys)("mailbox", "set", NEWS, "--tenant", "acme", *words, code=2)
    assert found.startswith(f"sendgate: {said}")
    text = f"address,ramp_from\n{NEWS},{words[1]}\n"
    status, problem = await api("POST", f"{PATH}/import", {"csv": text})
    assert (status, problem["errors"][0]["field"]) == (400, "line 2")
    assert await core.admin.number() == number


async def test_an_export_says_as_json_what_a_list_does_and_of_no_tenant_nothing(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    await acme(api)
    await api("PUT", f"{PATH}/{NEWS}", {"daily_max": 5})
    rows = msgspec.json.decode(await command("mailbox", "export", "--tenant", "acme", "--json"))
    assert [row["address"] for row in rows] == [NEWS]
    file = tmp_path / "list.csv"
    words = ("mailbox", "export", "--tenant", "acme", "--output", str(file))
    assert await command(*words) == f"1 mailbox written to {file}\n"
    found = msgspec.json.decode(await command(*words, "--json"))
    assert found == {"written": 1, "file": str(file)}
    said = await command("mailbox", "export", "--tenant", "nobody", code=1)
    assert said == "sendgate: tenant nobody does not exist\n"
    await command("mailbox", "export", "--tenant", "nobody", "--output", str(file), code=1)
    assert [one.name for one in tmp_path.iterdir()] == ["list.csv"]
    assert NEWS in file.read_text()


async def test_who_is_refused_is_explained_as_refused(api: Api) -> None:
    await acme(api, mailbox_unknown="refuse")
    question = {"tenant": "acme", "from": NEWS, "to": "someone@gmail.com"}
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["limit"]) == ("refuse", "mailbox_unknown")


async def test_a_mailbox_that_may_send_nothing_and_a_ramp_that_falls_are_told(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    await acme(api)
    at = ("--tenant", "acme")
    await command("mailbox", "add", NEWS, *at, "--max", "0")
    assert "never: its daily maximum is 0" in await command("mailbox", "show", NEWS, *at)
    assert (await view(api, NEWS))["next"] == ""
    ramp = ("--ramp", "50", "--ramp", "20")
    fall = "note: the ramp falls from 50 in stage 1 to 20 in stage 2"
    assert fall in await command("mailbox", "set", NEWS, *at, *ramp)
    assert "falls" not in await command("mailbox", "set", NEWS, *at, "--max", "9")
    ramp = ("--mailbox-ramp", "50", "--mailbox-ramp", "20")
    assert fall in await command("tenant", "set", "acme", *ramp)
    rows = f"address,ramp\n{NEWS},50 10\nx@{NEWS.partition('@')[2]},3 2\n"
    _, done = await api("POST", f"{PATH}/import", {"csv": rows})
    assert done["notes"] == [
        (
            "line 2: the ramp falls from 50 in stage 1 to 10 in stage 2; is the order meant? "
            "(and 1 other line)"
        )
    ]
