"""Commands that list: `--limit N` is the first so many, `--all` is all of them, part after part."""

from typing import Any

import msgspec
import pytest
import typer

from control.app import Parts
from control.cli.main import app
from tests.support.control.core import TOKEN, Api, Command
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
}
"""The line to the field of its answer that has the entries; '': it is a list; `ip`: a list that has
several entries an IP."""
LITTLE = {"accounting forgetting", "hold list", "warmup decisions", "blocklist list"}
"""They take both, and little is here to show."""
FEW: dict[str, str] = {
    "server list": "PowerMTA servers are few",
    "job list": "jobs are those of the program",
    "blocklist zones": "the lists of the configuration",
    "token list": "of the database, whole",
    "user list": "of the database, whole",
    "secret list": "where each secret is",
}
"""Commands called so that take neither: why."""


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
    assert both == named | LITTLE
    one_of = {words for words, one in found.items() if "--limit" in _names(one)}
    assert one_of == both
    lists = {words for words in found if words.rpartition(" ")[2] == "list"}
    assert lists - both == {words for words in FEW if words.endswith("list")}
    assert FEW.keys() <= found.keys()


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
