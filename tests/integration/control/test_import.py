"""History is taken in once: in parts, in any order, however often it is broken off."""

import asyncio
import gzip
import itertools
import json
from pathlib import Path

import pytest

from control.accounting import parts
from control.accounting.parts import History
from control.parts import Parts
from control.problem import RefusedError
from policy.limits import DAY
from tests.support.control.core import Api, Command
from tests.support.control.shipped import HEADER, TODAY, counts, lines, record


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few dozen records."""
    monkeypatch.setattr(parts, "PART", 8_192)


def history(count: int, *, second: int = 7) -> bytes:
    """So many records, `second` of them in each second, every other one the one before's twin."""
    start = TODAY * DAY // 1000 - 86_400
    rows = (
        record("d", f"message{number // 2:05}", at=start + number // second)
        for number in range(count)
    )
    return HEADER + lines(rows)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [False, True])
def test_parts_are_the_file_and_cut_no_second(tmp_path: Path, packed: bool) -> None:
    content = history(1_000)
    file = tmp_path / "a.csv"
    file.write_bytes(gzip.compress(content) if packed else content)
    made = History(file)
    found = list(made.parts(0))
    bodies = [gzip.decompress(part.body) for part in found]
    assert len(found) > 5
    assert [part.last for part in found] == [False] * (len(found) - 1) + [True]
    assert b"".join([bodies[0], *(body.removeprefix(HEADER) for body in bodies[1:])]) == content
    for one, following in itertools.pairwise(bodies):
        before, after = one.splitlines()[-2], following.splitlines()[1]
        assert before.split(b",")[1] != after.split(b",")[1]
    # Broken off anywhere it goes on alike.
    for at, part in enumerate(found[1:], 1):
        assert list(made.parts(part.begin)) == found[at:]
    made.close()


def test_a_file_that_is_none_of_accounting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"name,address\r\n1,2\r\n")
    with pytest.raises(RefusedError, match="no accounting file"):
        History(file)


@pytest.mark.usefixtures("working", "small")
async def test_files_in_any_order_and_again_count_each_record_once(
    core: Parts, command: Command, tmp_path: Path
) -> None:
    whole, packed = tmp_path / "b.csv", tmp_path / "a.csv.gz"
    content = history(2_000)
    whole.write_bytes(content)
    packed.write_bytes(gzip.compress(content + b"\r\ngarbage\r\n"))
    [first] = json.loads(await command("accounting", "import", str(whole), "--json"))
    assert (first["counted"], first["repeated"], first["done"]) == (2_000, 0, True)
    [again] = json.loads(await command("accounting", "import", str(whole), "--json"))
    assert again == first
    [other] = json.loads(await command("accounting", "import", str(packed), "--json"))
    assert (other["counted"], other["repeated"], other["set_aside"]) == (0, 2_000, 1)
    assert await counts(core) == {"d": (2_000, 2_000)}
    origins = await core.pool.fetch("SELECT DISTINCT origin FROM accounting_raw")
    assert [row["origin"] for row in origins] == ["import"]
    assert "b.csv" in await command("accounting", "imports")


@pytest.mark.usefixtures("small")
async def test_an_import_that_was_broken_off_goes_on_and_a_part_is_stored_once(
    core: Parts, api: Api, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(history(800))
    made = History(file)
    body = {"digest": made.digest, "size": made.size, "name": "a.csv"}
    status, view = await api("POST", "/api/v2/accounting/imports", body)
    assert status == 200
    assert isinstance(view, dict)
    first, second, *_ = made.parts(0)
    made.close()
    path = f"/api/v2/accounting/imports/{view['id']}/parts"

    async def post(part: parts.Part) -> int:
        at = f"?from={part.begin}&upto={part.end}"
        return (await api("POST", path + at, raw=part.body))[0]

    assert await post(second) == 409
    assert await post(first) == 200
    assert await post(first) == 409
    assert (await api("POST", path + "?from=x&upto=1", raw=b"x"))[0] == 400
    assert (await api("POST", path.replace(str(view["id"]), "99"), raw=b"x"))[0] in (400, 404)
    task = asyncio.create_task(core.intake.inbox.run())
    [done] = json.loads(await command("accounting", "import", str(file), "--json"))
    assert (done["id"], done["counted"], done["repeated"]) == (view["id"], 800, 0)
    task.cancel()


async def test_history_waits_behind_what_is_posted_and_leaves_it_room(
    core: Parts, api: Api, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(history(10))
    made = History(file)
    body = {"digest": made.digest, "size": made.size, "name": "a.csv"}
    _, view = await api("POST", "/api/v2/accounting/imports", body)
    assert isinstance(view, dict)
    [part] = made.parts(0)
    made.close()
    path = f"/api/v2/accounting/imports/{view['id']}/parts?from=0&upto={part.end}&last=1"
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body) "
        "VALUES (0, 'webhook', '', '', $1, '')",
        core.settings.accounting.inbox // 4,
    )
    assert (await api("POST", path, raw=part.body))[0] == 503
    await core.pool.execute("UPDATE accounting_batch SET size = 1")
    assert (await api("POST", path, raw=part.body))[0] == 200
    posted = HEADER + lines([record("b", "message99999")])
    assert (await api("POST", "/api/v2/powermta/accounting", raw=posted))[0] == 200
    rows = await core.pool.fetch(
        "SELECT origin FROM accounting_batch ORDER BY import IS NOT NULL, id"
    )
    assert [row["origin"] for row in rows] == ["webhook", "webhook", "import"]
