"""Suppressions through the API and the command: what is added is there, once, and for whom."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from control.parts import Parts
from control.store.change import Act
from control.suppressions.entry import ImportedRow
from control.users.token import new_token, put
from policy.suppression import Digests, canonical
from tests.support.control.core import TOKEN, Api, Command

PATH = "/api/v2/suppressions"


@pytest.fixture
async def stocked(api: Api) -> Api:
    """Two tenants."""
    for name in ("acme", "globex"):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    return api


async def page(api: Api, query: str = "", token: str = TOKEN) -> list[Any]:
    status, found = await api("GET", f"{PATH}{query}", token=token)
    assert status == 200, found
    assert isinstance(found, dict)
    return list(found["suppressions"])


async def changes(core: Parts) -> int:
    return int(await core.pool.fetchval("SELECT change FROM suppression_state"))


async def test_one_is_added_found_changed_and_removed_and_written_down(
    stocked: Api, core: Parts
) -> None:
    new = {"address": "Anna@GMAIL.com", "tenant": "acme", "reason": "request", "note": "by phone"}
    status, done = await stocked("POST", PATH, new)
    assert (status, done["changed"]) == (200, True)
    assert done["suppression"]["address"] == "Anna@gmail.com"
    assert done["suppression"]["origin"] == "api"
    number = await changes(core)
    assert (await stocked("POST", PATH, new))[1]["changed"] is False
    assert await changes(core) == number, "what says nothing new is no change"
    again = {**new, "until": "2999-01-01T00:00:00Z"}
    assert (await stocked("POST", PATH, again))[1]["changed"] is True
    [one] = await page(stocked, "?address=Anna@gmail.COM")
    assert (one["until"], one["since"]) == (
        "2999-01-01T00:00:00Z",
        done["suppression"]["since"],
    )
    over = await stocked("POST", PATH, {**new, "until": "2020-01-01T00:00:00Z"})
    assert over[0] == 400
    assert over[1]["errors"][0]["field"] == "until"
    assert await page(stocked, "?address=anna@gmail.com") == [], "a local part is compared exactly"
    status, gone = await stocked("DELETE", f"{PATH}?tenant=acme&address=Anna@gmail.com")
    assert (status, gone["suppression"]["active"]) == (200, False)
    assert (await stocked("DELETE", f"{PATH}?tenant=acme&address=Anna@gmail.com"))[0] == 404
    assert await page(stocked) == []
    assert len(await page(stocked, "?ended=1")) == 1
    rows = await core.pool.fetch(
        "SELECT action FROM audit_log WHERE action LIKE 'suppression%' ORDER BY id"
    )
    assert [row["action"] for row in rows] == [
        "suppression.add",
        "suppression.add",
        "suppression.remove",
    ]


async def test_a_dry_run_changes_nothing(stocked: Api, core: Parts) -> None:
    new = {"address": "anna@gmail.com"}
    status, done = await stocked("POST", f"{PATH}?dry_run=1", new)
    assert (status, done["dry_run"], done["changed"]) == (200, True, True)
    rows = {"rows": [new]}
    assert (await stocked("POST", f"{PATH}/import?dry_run=1", rows))[1]["added"] == 1
    assert await page(stocked, "?ended=1") == []
    assert await changes(core) == 0


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--BCHER-kva.example.", "anna@xn--bcher-kva.example"),
        ('"anna"@gmail.com', "anna@gmail.com"),
        ('"an na"@gmail.com', '"an na"@gmail.com'),
        ("Änne@gmail.com", "Änne@gmail.com"),
        ("A\u0308nne@gmail.com", "A\u0308nne@gmail.com"),
        ("anna@[IPv6:2001:DB8:0:0::7]", "anna@[ipv6:2001:db8::7]"),
        ("an na@gmail.com", None),
        ("anna", None),
        ("anna@-x.example", None),
        ("@gmail.com", None),
    ],
)
async def test_an_address_has_one_spelling(stocked: Api, written: str, kept: str | None) -> None:
    status, done = await stocked("POST", PATH, {"address": written})
    assert status == (200 if kept else 400), done
    if kept:
        assert done["suppression"]["address"] == kept == canonical(written)
    else:
        assert done["errors"][0]["field"] == "address"


async def test_a_tenants_token_sees_and_changes_its_own_and_never_everybodys(
    stocked: Api, core: Parts
) -> None:
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "acme's", made, "operator", "acme")

    await core.publisher.change("test", act)
    for tenant in ("globex", None):
        await stocked("POST", PATH, {"address": "x@gmail.com", "tenant": tenant})
    status, done = await stocked("POST", PATH, {"address": "y@gmail.com"}, token=made)
    assert (status, done["suppression"]["tenant"]) == (200, "acme"), "its own, not everybody's"
    status, done = await stocked(
        "POST", f"{PATH}/import", {"rows": [{"address": "z@gmail.com"}]}, token=made
    )
    assert (status, done["added"]) == (200, 1)
    for query in ("", "?everybody=1", "?ended=1", "?after=0"):
        found = await page(stocked, query, token=made)
        assert {one["tenant"] for one in found} == {"acme"}, query
    assert await page(stocked, "?address=x@gmail.com", token=made) == []
    for query in ("?address=x@gmail.com", "?address=x@gmail.com&tenant=globex"):
        assert (await stocked("DELETE", PATH + query, token=made))[0] == 404
    other = {"address": "y@gmail.com", "tenant": "globex"}
    assert (await stocked("POST", PATH, other, token=made))[0] == 404
    assert len(await page(stocked, "?address=x@gmail.com")) == 2


async def test_who_asks_for_changes_after_a_number_misses_none(core: Parts) -> None:
    """Writers commit in the order of their numbers, however many write at once."""
    suppressions, seen, last = core.suppressions, [], 0
    ended = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(15):
            rows = [ImportedRow(address=f"a{writer}-{number}-{n}@x.example") for n in range(20)]
            await suppressions.take("test", "", rows, dry=False)

    async def read() -> None:
        nonlocal last
        while True:
            over = ended.is_set()
            rows = await core.pool.fetch(
                "SELECT digest, change FROM suppression WHERE change > $1 ORDER BY change LIMIT 50",
                last,
            )
            seen.extend(row["digest"] for row in rows)
            last = rows[-1]["change"] if rows else last
            if over and not rows:
                return
            await asyncio.sleep(0)

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(3)))
    ended.set()
    await reading
    assert len(set(seen)) == 3 * 15 * 20
    assert len(seen) == len(set(seen))


async def test_digests_are_of_the_installation_and_of_the_tenant(core: Parts) -> None:
    key = await core.pool.fetchval("SELECT key FROM suppression_state")
    digests, other = Digests(key), Digests(b"another key")
    name = b"anna@gmail.com"
    of = {digests.of("", name), digests.of("acme", name), other.of("", name)}
    assert len(key) == 32
    assert len(of) == 3
    assert digests.of("acme", name) == digests.of("acme", name)


async def test_a_list_is_imported_exported_and_imported_again(
    stocked: Api,
    core: Parts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(stocked, capsys)
    lines = [f"u{n}@x.example,hard bounce,,5.1.1 unknown" for n in range(12_345)]
    lines[7] = "not an address,,,"
    lines[8] = "late@x.example,,not a time,"
    lines[9] = 'odd@x.example,"sold to globex",2999-01-01,"a, b"'
    file, rejected = tmp_path / "list.csv", tmp_path / "rejected.csv"
    file.write_text("\ufeffEmail,Reason,Until,Comment\r\n" + "\r\n".join(lines) + "\r\n")
    given = ("suppression", "import", str(file), "--tenant", "acme", "--rejected", str(rejected))
    given = (*given, "--allow-refused")
    said = await sendgate(*given, "--dry-run")
    assert "12345 rows: 12343 added, 0 changed, 0 were there (dry run" in said
    assert await core.pool.fetchval("SELECT count(*) FROM suppression") == 0
    said = await sendgate(*given)
    assert "12345 rows: 12343 added, 0 changed, 0 were there" in said
    assert "line 9 was not taken" in said
    assert "1 of 12345 rows have a reason that is none of ours ('sold to globex'): they are" in said
    assert "line 10 was not taken" in said
    assert len(rejected.read_text().splitlines()) == 3
    [one] = await page(stocked, "?address=odd@x.example")
    assert (one["reason"], one["note"]) == ("other", "sold to globex: a, b")
    [one] = await page(stocked, "?address=u0@x.example")
    assert (one["reason"], one["origin"], one["note"]) == ("bounce", "import", "5.1.1 unknown")
    number = await changes(core)
    assert "0 added, 0 changed, 12343 were there" in await sendgate(*given)
    assert await changes(core) == number
    whole = tmp_path / "export.csv"
    said = await sendgate("suppression", "export", "--output", str(whole), "--tenant", "acme")
    assert "12343 written" in said
    again = await sendgate("suppression", "import", str(whole), "--tenant", "acme")
    assert "12343 rows: 0 added, 0 changed, 12343 were there" in again
    assert "say whose mail" in await sendgate("suppression", "import", str(file), code=2)
    plain = tmp_path / "plain.txt"
    plain.write_text("one@x.example\ntwo@x.example\n")
    assert "2 rows: 2 added" in await sendgate("suppression", "import", str(plain), "--everybody")
    plain.write_text("name,city\nanna,Paris\n")
    assert "no column address" in await sendgate(
        "suppression", "import", str(plain), "--everybody", code=1
    )


async def test_the_command_adds_shows_lists_and_removes(
    stocked: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(stocked, capsys)
    add = ("suppression", "add", "anna@gmail.com")
    assert "say whose mail" in await sendgate(*add, code=2)
    assert "suppressed for all tenants" in await sendgate(*add, "--everybody", "--note", "lawyer")
    assert "nothing to do" in await sendgate(*add, "--everybody")
    assert "suppressed for tenant acme" in await sendgate(*add, "--tenant", "1")
    listed = await sendgate("suppression", "list")
    assert all(word in listed for word in ("anna@gmail.com", "acme", "all", "hand", "lawyer"))
    assert "acme" not in await sendgate("suppression", "list", "--everybody")
    exported = json.loads(await sendgate("suppression", "export", "--json"))
    assert [(one["address"], one["tenant"]) for one in exported] == [
        ("anna@gmail.com", None),
        ("anna@gmail.com", "acme"),
    ]
    gone = ("suppression", "remove", "anna@gmail.com", "--everybody")
    assert "gets mail again for all tenants" in await sendgate(*gone)
    assert "does not exist" in await sendgate(*gone, code=1)
    shown = await sendgate("suppression", "show", "anna@gmail.com")
    assert shown.count("anna@gmail.com") == 2, "what was removed is shown, too"
    assert "is not suppressed" in await sendgate("suppression", "show", "x@gmail.com")


async def test_pages_lead_through_all_of_them_either_way(stocked: Api) -> None:
    rows = [{"address": f"u{n}@x.example"} for n in range(25)]
    await stocked("POST", f"{PATH}/import", {"rows": rows})
    for way, first in (("before", ""), ("after", "0")):
        found, at = [], first
        while True:
            where = f"&{way}={at}" if at else ""
            _, answer = await stocked("GET", f"{PATH}?limit=10{where}")
            found += [one["address"] for one in answer["suppressions"]]
            at = answer[way]
            if at is None:
                break
        ordered = [row["address"] for row in rows]
        assert found == (ordered if way == "after" else ordered[::-1])


async def test_there_are_no_more_than_the_setting_allows(stocked: Api, core: Parts) -> None:
    await core.pool.execute("UPDATE suppression_state SET entries = 9_999_999")
    status, refused = await stocked("POST", PATH, {"address": "a@x.example"})
    assert status == 200
    status, refused = await stocked("POST", PATH, {"address": "b@x.example"})
    assert (status, "suppressions.most" in refused["detail"]) == (409, True)
    assert len(await page(stocked)) == 1


async def test_what_ended_long_ago_goes(stocked: Api, core: Parts) -> None:
    await stocked("POST", PATH, {"address": "a@x.example", "until": "1999-01-01"})
    await stocked("POST", PATH, {"address": "b@x.example"})
    await core.suppressions.sweep()
    assert [one["address"] for one in await page(stocked, "?ended=1")] == ["b@x.example"]
    assert await core.pool.fetchval("SELECT entries FROM suppression_state") == 1


async def test_a_forgotten_address_stands_nowhere_and_gets_no_mail(
    stocked: Api,
    core: Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever asks to be forgotten does not ask for mail."""
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(stocked, capsys)
    name = "Anna@gmail.com"
    for tenant in ("acme", "globex", None):
        await stocked("POST", PATH, {"address": name, "tenant": tenant, "note": "by phone"})
    await stocked("POST", PATH, {"address": "other@gmail.com", "tenant": "acme"})
    before = await core.pool.fetch("SELECT digest, reason, until FROM suppression ORDER BY 1")
    forget = "/api/v2/hold/forget"
    status, tried = await stocked("POST", f"{forget}?dry_run=1", {"recipient": name})
    assert status == 202, tried
    assert any(note.startswith("3 suppressions of it stay") for note in tried["notes"])
    assert len(await page(stocked, f"?address={name}&tenant=acme")) == 1
    assert (await stocked("POST", forget, {"recipient": name, "tenant": "globex"}))[0] == 202
    rows = await core.pool.fetch("SELECT tenant FROM suppression WHERE address = $1", name)
    assert {row["tenant"] for row in rows} == {"", "acme"}
    assert (await stocked("POST", forget, {"recipient": name}))[0] == 202
    kept = await core.pool.fetch("SELECT digest, reason, until FROM suppression ORDER BY 1")
    assert kept == before, "gateways know it by its digest, and refuse it as before"
    for table in ("suppression", "audit_log"):
        rows = await core.pool.fetch(f"SELECT t::text AS text FROM {table} t")
        assert not [row["text"] for row in rows if "anna" in row["text"].lower()], table
    # Whoever types it is told, for it is known by its digest; no list has it.
    found = await page(stocked, f"?address={name}")
    assert sorted(one["tenant"] or "" for one in found) == ["", "acme", "globex"]
    assert "(forgotten)" in await sendgate("suppression", "list")
    await sendgate("suppression", "export", "--output", str(tmp_path / "list.csv"))
    assert len((tmp_path / "list.csv").read_text().splitlines()) == 2
    # Named again it is not known again, and somebody may let it.
    await stocked("POST", PATH, {"address": name, "tenant": "acme", "reason": "request"})
    assert (
        await core.pool.fetchval("SELECT count(*) FROM suppression WHERE address = $1", name) == 0
    )
    status, done = await stocked("DELETE", f"{PATH}?tenant=acme&address={name}")
    assert (status, done["suppression"]["address"]) == (200, name)


async def test_a_tenants_suppressions_go_with_it_and_the_next_of_that_name_has_none(
    stocked: Api, core: Parts
) -> None:
    for tenant in ("acme", None, "globex"):
        await stocked("POST", PATH, {"address": "anna@gmail.com", "tenant": tenant})
    await stocked("POST", PATH, {"address": "ben@gmail.com", "tenant": "acme"})
    assert (await stocked("POST", "/api/v2/tenants/acme/pause"))[0] == 200
    state = "SELECT lineage, entries FROM suppression_state"
    before = await core.pool.fetchrow(state)
    status, tried = await stocked("DELETE", "/api/v2/tenants/acme?dry_run=1")
    assert status == 200, tried
    told = "2 suppressions of the tenant go with it"
    assert told in tried["notes"]
    assert await core.pool.fetchrow(state) == before
    status, done = await stocked("DELETE", "/api/v2/tenants/acme")
    assert status == 200, done
    assert told in done["notes"]
    rows = await core.pool.fetch("SELECT tenant FROM suppression ORDER BY 1")
    assert [row["tenant"] for row in rows] == ["", "globex"]
    after = await core.pool.fetchrow(state)
    assert after["entries"] == before["entries"] - 2
    assert after["lineage"] != before["lineage"], "gateways read the list anew"
    row = await core.pool.fetchrow("SELECT before FROM audit_log WHERE action = 'tenant.remove'")
    assert "anna" not in str(row["before"])
