"""What a new operator gets wrong, and what he reads then: one sentence, one voice, one code."""

import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from control.cli.main import run
from control.parts import Parts
from tests.support.control.core import Api, Command, api_of
from tests.support.hold.held import hold


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """Two tenants, each with a domain."""
    async with api_of(core) as opened:
        for number, name in enumerate(("acme", "globex"), 10):
            new = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
            one = {"tenant": name, "domain": f"{name}.example", "ip": f"192.0.2.{number}"}
            assert (await opened("POST", "/api/v2/domains", {**one, "quota": 100}))[0] == 201
        yield opened


async def test_a_mailbox_of_another_tenants_domain_gets_no_limits(
    core: Parts, command: Command
) -> None:
    words = ("mailbox", "set", "news@globex.example", "--max", "5", "--tenant")
    said = await command(*words, "acme", code=2)
    assert "globex.example is a sending domain of tenant globex, not of acme" in said
    assert await core.pool.fetchval("SELECT count(*) FROM mailbox") == 0
    await command(*words, "globex")
    await command("mailbox", "set", "news@nobodys.example", "--tenant", "acme", "--max", "5")


async def test_a_dry_run_shows_each_field_as_it_is_and_as_it_would_be(command: Command) -> None:
    for words, shown in (
        (
            ("tenant", "set", "acme", "--hours", "09:00-17:00", "--zone", "Europe/Paris"),
            ("  hours: none -> 09:00-17:00", "  zone: none -> Europe/Paris"),
        ),
        (
            ("tenant", "set", "acme", "--sender", "acme.example"),
            ("  senders: none -> acme.example",),
        ),
        (("ip", "set", "192.0.2.10", "--quota", "7"), ("  quota: 100 -> 7",)),
        (("ip", "pause", "192.0.2.10"), ("  state: active -> paused",)),
        (
            ("server", "set", "pmta1", "192.0.2.1:25", "192.0.2.2:25"),
            ("  addresses: 127.0.0.1:2525 -> 192.0.2.1:25, 192.0.2.2:25",),
        ),
        (
            ("mailbox", "set", "a@acme.example", "--tenant", "acme", "--max", "5"),
            ("  daily_max: default -> 5",),
        ),
        (("pool", "set", "acme", "--overflow", "fast"), ("  overflow: none -> fast",)),
    ):
        if words[0] == "pool":
            await command("pool", "add", "fast", "--tenant", "acme")
        said = await command(*words, "--dry-run")
        assert "dry run, nothing was changed" in said
        for line in shown:
            assert line in said.splitlines(), said
    done = await command("ip", "set", "192.0.2.10", "--quota", "8")
    assert "  quota: 100 -> 8" in done.splitlines()
    assert "password" not in await command("tenant", "set", "acme", "--max-recipients", "9")


async def test_a_wrong_value_is_named_as_it_was_written(api: Api, command: Command) -> None:
    for body in ({"ceilings": {"gmail": 5, "yahoo": -1}}, {"ceilings": {"yahoo": "x"}}):
        status, answer = await api("PATCH", "/api/v2/ips/192.0.2.10", body)
        assert status == 400
        assert isinstance(answer, dict)
        [problem] = answer["errors"]
        assert problem["field"] == "ceilings"
        assert problem["detail"].startswith("yahoo: expected a whole number"), problem
        assert "$" not in problem["detail"]
        assert "`" not in problem["detail"]
    said = await command("ip", "set", "192.0.2.10", "--ceiling", "yahoo=-1", code=2)
    assert "--ceiling: yahoo: expected a whole number >= 0" in said


async def test_a_nul_is_refused_by_the_name_of_what_has_it(api: Api) -> None:
    for path, field in (
        ("/api/v2/tenants/a%00b", "tenant"),
        ("/api/v2/ips/1%00", "ip"),
        ("/api/v2/domains/a%00.example", "domain"),
        ("/api/v2/servers/a%00", "server"),
        ("/api/v2/pools/a%00", "pool"),
        ("/api/v2/hold/messages/a%00", "message"),
        ("/api/v2/explain/a%00", "message"),
        ("/api/v2/tenants?after=a%00", "after"),
        ("/api/v2/providers?provider=a%00", "provider"),
        ("/api/v2/audit?subject=a%00", "subject"),
    ):
        status, answer = await api("GET", path)
        assert (status, isinstance(answer, dict)) == (400, True), path
        assert isinstance(answer, dict)
        assert answer["errors"] == [
            {"field": field, "detail": "control characters cannot be used"}
        ], path


async def test_what_is_long_is_not_repeated_whole(api: Api, command: Command) -> None:
    long = "x" * 5_000
    for words in (
        ("login", "remove", long, "--tenant", "acme"),
        ("tenant", "password", "acme", "--login", "y" * 250, "--password", "long enough 12"),
        ("tenant", "show", long),
        ("ip", "show", long),
        ("hold", "list", "--recipient", "x" * 900),
    ):
        found = await _failed(command, *words)
        assert "xxx" in found or "yyy" in found
        assert len(found) < 400, found
    status, answer = await api("GET", f"/api/v2/tenants/{quote(long)}")
    assert (status, len(str(answer)) < 400) == (404, True)


async def _failed(command: Command, *words: str) -> str:
    assert run(["--url", "http://127.0.0.1:9", *words]) in (1, 2)
    command.capsys.readouterr()
    try:
        return await command(*words, code=1)
    except AssertionError as error:
        return str(error).partition("\nassert ")[0]


MISTAKES = {
    # Read by typer, by our options, and by the API alone.
    "hold pause --tenant acme --timeout x": ("--timeout: expected a number, not 'x'"),
    "audit list --limit x": ("--limit: expected a whole number, not 'x'"),
    "audit list --limit 1001": ("--limit: expected a whole number <= 1000, not '1001'"),
    "audit list --since yesterday": ("--since: 'yesterday' is not a time such as"),
    "audit list --subject ''": ("--subject: is empty; leave it out to match any"),
    "message list --before 1": ("--before: '1' is not what a page before gave"),
    "hold list --reason quota": ("--reason: expected ip_quota or ip_provider or"),
    "hold pause --reason quota": ("--reason: expected ip_quota or ip_provider or"),
    "hold list --state gone": ("--state: 'gone' is none of held, claimed, doubt"),
    "hold list --limit 5": ("--limit: needs --messages"),
    "suppression list --origin me": ("--origin: expected rule or hand or import or api"),
    "suppression add a@b.example --everybody --until soon": ("--until: 'soon' is"),
    "alert list --limit 0": ("--limit: expected a whole number >= 1, not '0'"),
    "alert list --before first": ("--before: expected a whole number, not 'first'"),
    "warmup decisions --act nothing": ("--act: expected advance or finish or grow or hold"),
    "warmup decisions 999.1.1.1": ("ip: '999.1.1.1' is not an IP address"),
    "job show cleanup --state lost": ("--state: expected running or done or failed or dead"),
    "token add x --expires soon": ("--expires: 'soon' is neither in how long, such as 90d, nor"),
    "token add x --expires 30x": ("--expires: '30x' is neither in how long, such as 90d, nor"),
    "job run cleanup --due soon": ("--due: 'soon' is not a time such as"),
    "provider list --provider googol": ("--provider: 'googol' is no provider; known: "),
    "provider list --after ''": ("--after: is empty"),
    "accounting rejected --after -1": ("--after: expected a whole number >= 0, not '-1'"),
    "accounting rejected --id x": ("--id: entry 1: expected a whole number"),
    "mailbox set a@x.example --tenant acme --ramp 50,200": (
        "--ramp: entry 1: expected a whole number or default; it is repeated, once for each: "
        "--ramp 50 --ramp 200"
    ),
    "accounting rejected --again --limit 5": ("--again takes in all that --id names"),
    "stats --by ''": ("--by: is empty"),
    "pool set acme --per-minute none": (
        "--per-minute: expected a whole number or --no-per-minute, not 'none'"
    ),
    "stats --by hour": ("--by: 'hour' is none of day, ip, tenant"),
    "stats --from 2026-02-30": ("--from: '2026-02-30' is not a date"),
    "stats --limit 20000": ("--limit: 20000 rows are more than one answer has here: at most"),
    "ip list --tenant ''": ("--tenant: is empty"),
    "warmup days --day soon": ("--day: 'soon' is not a date such as 2026-03-01"),
    "domain add --tenant acme --domain x.example --ip 999.1.1.1": ("--ip: '999"),
}
"""Line to the beginning of what is said of it."""


@pytest.mark.parametrize("line", MISTAKES)
async def test_a_mistake_in_an_option_has_one_voice_and_exit_code_2(
    command: Command, line: str
) -> None:
    found = await command(*shlex.split(line), code=2)
    assert found.removeprefix("sendgate: ").startswith(MISTAKES[line]), found
    assert len(found.splitlines()) == 1


async def test_an_order_that_meets_nothing_says_so(core: Parts, command: Command) -> None:
    for action in (
        ("pause",),
        ("resume",),
        ("release",),
        ("settle", "--absent"),
        ("drop", "--yes"),
    ):
        for more in (("--dry-run",), ("--no-wait",)):
            said = await command("hold", *action, "--tenant", "acme", *more, code=1)
            assert "nothing matches" in said, action
    # Mail of the campaign that comes is held from now on: that is something.
    await command("hold", "pause", "--tenant", "acme", "--campaign", "camp01", "--no-wait")
    await hold(core.pool, "one", paused=True, reason="paused")
    said = await command("hold", "pause", "--tenant", "acme", "--no-wait")
    assert "1 are paused already" in said


async def test_what_was_said_of_a_suppression_is_what_is_audited(
    core: Parts, command: Command
) -> None:
    add = ("suppression", "add", "anna@gmail.com", "--everybody")
    await command(*add, "--reason", "complaint")
    await command(*add, "--reason", "request", "--note", "by letter")
    rows = await core.pool.fetch(
        "SELECT before, after FROM audit_log WHERE action = 'suppression.add' ORDER BY id"
    )
    assert [(row["before"], row["after"]) for row in rows] == [
        (None, {"reason": "complaint"}),
        ({"reason": "complaint", "note": ""}, {"reason": "request", "note": "by letter"}),
    ]


async def test_a_list_with_refused_rows_ends_with_1_unless_that_was_allowed(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address\nanna@gmail.com\nnobody\nbob@gmail.com\n")
    given = ("suppression", "import", str(file), "--everybody")
    with pytest.raises(AssertionError):
        await command(*given, "--dry-run")
    said = await command(*given, "--allow-refused")
    assert "2 added" in said
    assert "1 of 3 rows were not taken" in said
    found = json.loads(await command(*given, "--allow-refused", "--json"))
    assert (found["unchanged"], found["refused"]) == (2, 1)
    file.write_text("address\nanna@gmail.com\n")
    await command(*given)
