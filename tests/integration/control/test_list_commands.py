"""Commands that list: `--limit N` is the first so many, `--all` is all of them, part after part."""

from typing import Any

import msgspec
import pytest
import typer

from control.app import Parts
from control.cli.main import app
from control.pmta.dkim import new_secret
from tests.support.control.core import SECRET, TOKEN, Api, Command
from tests.support.control.stocked import stock

LISTS: dict[str, str] = {
    "tenant list": "",
    "login list --tenant acme": "",
    "network list --tenant acme": "",
    "domain list": "",
    "ip list": "",
    "pool list": "",
    "mailbox list --tenant acme": "",
    "quota": "ip",
    "pmta own list": "",
    "pmta versions --server pmta1": "",
    "accounting imports": "",
    "accounting bypass": "",
    "accounting rejected": "",
    "warmup status": "",
    "warmup plan list": "",
    "warmup days": "",
    "hold requests": "",
    "hold events": "",
    "provider list": "",
    "job show cleanup": "",
    "audit list": "entries",
    "message list": "messages",
    "plan list": "plans",
    "suppression list --tenant acme": "suppressions",
    "alert list": "alerts",
    "stats --by ip": "rows",
    "server list": "",
    "job list": "",
    "blocklist zones": "",
}
"""The line to the field of its answer that has the entries; '': it is a list; `ip`: a list that has
several entries an IP."""
LITTLE = {"accounting forgetting", "hold list", "warmup decisions", "blocklist list"}
"""They take both, and little is here to show."""
OF_THE_HOST = {"token list": "", "user list": "", "secret list": "secrets"}
"""They take both, and ask the database themselves."""


@pytest.fixture
async def stocked(
    api: Api, core: Parts, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    async with core.pool.acquire() as connection:
        await stock(api, connection, (await core.admin.now())[0])
    return command


def leaves(found: Any, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    if not hasattr(found, "commands"):
        return {" ".join(words): found}
    every: dict[str, Any] = {}
    for name, one in found.commands.items():
        every |= leaves(one, (*words, name))
    return every


def test_every_command_that_lists_takes_both() -> None:
    found = leaves(typer.main.get_command(app))
    both = {words for words, one in found.items() if {"--limit", "--all"} <= _names(one)}
    named = {words.partition(" --")[0].removesuffix(" cleanup") for words in LISTS}
    assert both == named | LITTLE | OF_THE_HOST.keys()
    one_of = {words for words, one in found.items() if "--limit" in _names(one)}
    # A screen shows so many of them, and goes through the rest by keys.
    assert one_of - {"top"} == both
    lists = {words for words in found if words.rpartition(" ")[2] == "list"}
    assert lists <= both


def _names(one: Any) -> set[str]:
    return {name for option in one.params for name in option.opts}


async def shown(command: Command, line: str, rows: str) -> list[Any]:
    """The entries that a line shows."""
    answer = msgspec.json.decode(await command(*line.split(), "--json"))
    return answer if rows in ("", "ip") else answer[rows]


@pytest.mark.parametrize(("line", "rows"), LISTS.items())
async def test_a_limit_is_the_first_so_many_and_all_is_all(
    stocked: Command, monkeypatch: pytest.MonkeyPatch, line: str, rows: str
) -> None:
    whole = await shown(stocked, f"{line} --all", rows)
    assert len(whole) >= 3, line
    for module in ("client", "parts"):
        monkeypatch.setattr(f"control.terminal.{module}.PART", 2)
    again = await shown(stocked, f"{line} --all", rows)
    assert list(map(_still, again)) == list(map(_still, whole)), "in parts of two"
    some = await shown(stocked, f"{line} --limit 2", rows)
    wanted = whole[:2]
    if rows == "ip":
        named = list(dict.fromkeys(one["ip"] for one in whole))[:2]
        wanted = [one for one in whole if one["ip"] in named]
    assert list(map(_still, some)) == list(map(_still, wanted))
    said = await stocked(*line.split(), "--all", "--limit", "2", code=2)
    assert "--limit and --all contradict each other" in said


def _still(one: Any) -> Any:
    """Without how long ago something was."""
    return {k: v for k, v in one.items() if k != "age"} if isinstance(one, dict) else one


async def test_who_is_shown_a_part_is_told_of_more(stocked: Command) -> None:
    for line in ("provider list", "hold events", "job show cleanup", "warmup days"):
        assert "more: --all" in await stocked(*line.split(), "--limit", "2"), line
        assert "more:" not in await stocked(*line.split(), "--all"), line


async def test_a_walk_is_not_cut(stocked: Command) -> None:
    line = "mailbox list --tenant acme --discovered --limit 2"
    assert "--limit" in await stocked(*line.split(), code=2)
    assert "needs --messages" in await stocked("hold", "list", "--all", code=2)
    assert "no part of them" in await stocked(
        *("accounting", "rejected", "--again", "--all"), code=2
    )


@pytest.fixture
async def host(stocked: Command, sendgate: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """On control's host, with a former secret."""
    for name, value in HOST.items():
        monkeypatch.setenv(name, value)
    return sendgate


HOST = {
    "SENDGATE_CONTROL_SECRET": SECRET,
    "SENDGATE_CONTROL_SECRETS_BEFORE": f"{new_secret()},{new_secret()}",
}


@pytest.mark.parametrize(("line", "rows"), OF_THE_HOST.items())
async def test_the_same_straight_at_the_database(
    host: Command, monkeypatch: pytest.MonkeyPatch, line: str, rows: str
) -> None:
    whole = await shown(host, line, rows)
    assert len(whole) >= 3
    monkeypatch.setattr("control.terminal.parts.PART", 2)
    assert await shown(host, f"{line} --all", rows) == whole, "in parts of two"
    assert await shown(host, f"{line} --limit 1", rows) == whole[:1]
    assert await shown(host, f"{line} --limit 3", rows) == whole[:3]
    said = await host(*line.split(), "--all", "--limit", "2", code=2)
    assert "--limit and --all contradict each other" in said


async def test_people_and_tokens_are_found_by_what_they_are(host: Command) -> None:
    await host("user", "add", "anna", "--role", "operator", "--tenant", "acme")
    await host("user", "disable", "u1")
    await host("token", "add", "of acme", "--scope", "operate", "--tenant", "acme")
    for line, wanted in (
        ("user list --role operator", ["anna"]),
        ("user list --tenant acme", ["anna"]),
        ("user list --state disabled", ["u1"]),
        ("user list --prefix u --sort -name --limit 2", ["u3", "u2"]),
        ("token list --scope operate", ["of acme"]),
        ("token list --tenant acme", ["of acme"]),
        ("token list --prefix panel --sort -created --limit 1", ["panel3"]),
        ("token list --expired", []),
    ):
        found = await shown(host, line, "")
        assert [one["name"] for one in found] == wanted, line
    assert "--scope" in await host("token", "list", "--scope", "king", code=2)
    assert "--sort" in await host("user", "list", "--sort", "mail", code=2)
