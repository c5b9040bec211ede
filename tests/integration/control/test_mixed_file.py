"""One file as it never should be, and the report of it: what counts, what does not and why."""

import gzip
import json
import time
from pathlib import Path

import pytest

from control.parts import Parts
from policy.limits import DAY
from tests.support.control.core import Api, Command
from tests.support.control.shipped import counts

HEADER = (
    "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,bounceCat,dlvSourceIp,vmta,jobId,envId"
)


def mixed(now: int) -> tuple[bytes, list[str]]:
    """(the file, why each of its rows that do not count does not). `now` in epoch seconds."""
    day = now * 1000 // DAY
    iso = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(now))
    american = time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime(now))

    def row(kind: str, at: object, who: str, rest: str, number: int) -> str:
        envid = f"{day}-1mixed{number:04}.1"
        return f"{kind},{at},{at},news@acme.test,{who}@gmail.com,{rest},192.0.2.10,v1,c7,{envid}"

    delivered = "2.0.0 (success),smtp;250 2.0.0 OK,"
    good = [
        row("r", iso, "good", ",,", 1),
        row("d", iso, "good", delivered, 1),
        # PowerMTA leaves empty columns at the end away.
        f"d,{iso},{iso},news@acme.test,short@gmail.com",
        # A real twin: the same second, the same words, told twice by one server.
        row("t", iso, "twin", "4.2.2 (mailbox full),smtp;452 4.2.2 later,quota-issues", 2),
        row("t", iso, "twin", "4.2.2 (mailbox full),smtp;452 4.2.2 later,quota-issues", 2),
        # A category as some versions misspell it.
        row("b", iso, "misspelt", "5.1.1 (bad),smtp;550 unknown,inactiv-mailbox", 3),
        row("d", now, "epoch", delivered, 4),
        row("d", american, "american", delivered, 5),
        row("d", iso, "quoted", '2.0.0 (success),"smtp;250 ""OK"", a\r\nlong story",', 6),
        # A type that nobody knows: kept and counted, and nothing follows from it.
        row("zz", iso, "strange", ",,", 7),
    ]
    garbage = {
        "complete nonsense": "it does not begin with a record's type",
        row("d", "yesterday", "timeless", delivered, 8): "a record's time cannot be read",
        row("d", iso, "wide", delivered, 9) + ",and,more": "more fields than columns",
        row("d", iso, "nul\0", delivered, 10): "a record holds NUL octets",
        # Cut by a crash, and PowerMTA wrote on behind it.
        f"d,{iso},{iso},news@acme.test,cut@gmaild,{iso},{iso},news@acme.test,on@gmail.com": (
            "two records stand in one line"
        ),
        row("d", now + 3 * 86_400, "tomorrow", delivered, 13): (
            "its time is more than a day ahead: is PowerMTA's clock right?"
        ),
    }
    rows: list[str] = []
    for number, text in enumerate([*good, *garbage]):
        rows.insert(0 if number % 2 else len(rows), text)
    unfinished = 'd,"never closed'
    text = "\r\n".join([HEADER, *rows, unfinished])
    return b"\xef\xbb\xbf" + text.encode(), [*garbage.values(), "a quote is never closed"]


@pytest.mark.usefixtures("working")
async def test_the_report_of_one_file_of_everything(
    core: Parts, api: Api, command: Command, tmp_path: Path
) -> None:
    content, why = mixed(await core.calendar() // 1000)
    packed, plain = tmp_path / "mixed.csv.gz", tmp_path / "again.csv"
    packed.write_bytes(gzip.compress(content))
    plain.write_bytes(content)
    report = await command("accounting", "import", str(packed), "--server", "pmta1")
    assert "mixed.csv.gz: 10 records taken in, 0 had counted before, 7 cannot be read" in report
    status, page = await api("GET", "/api/v2/accounting/rejected")
    assert status == 200
    assert isinstance(page, dict)
    assert sorted(one["why"] for one in page["rejected"]) == sorted(why)
    assert all(one["place"] and (one["raw"] or "why" in one) for one in page["rejected"])
    shown = await command("accounting", "rejected")
    assert "two records stand in one line" in shown
    ids = sorted(one["id"] for one in page["rejected"])
    part = await command("accounting", "rejected", "--limit", "2")
    assert f"7 in all; more: --after {ids[1]}" in part
    named = ("--id", str(ids[5]), "--id", str(ids[2]), "--id", str(ids[6] + 1))
    chosen = json.loads(await command("--json", "accounting", "rejected", *named))
    assert [one["id"] for one in chosen] == [ids[5], ids[2]], "of any page, and no other"
    again = json.loads(await command("--json", "accounting", "rejected", "--again", *named))
    assert again == {"taken": 0, "repeated": 0, "rejected": 2}
    once = {"r": (1, 0), "d": (5, 0), "t": (2, 0), "b": (1, 0), "zz": (1, 0)}
    assert await counts(core) == once
    # What they say is counted; of whom, too, where a rule is needed to read it.
    status, sums = await api("GET", "/api/v2/statistics?by=provider&with=total,categories")
    assert status == 200
    assert isinstance(sums, dict)
    total = sums["total"]
    assert [total[k] for k in ("delivered", "bounced_address", "deferred")] == [5, 1, 2]
    assert [(one["category"], one["class"]) for one in sums["categories"]] == [
        ("inactive-mailbox", "address")
    ]
    # The same file by another name and unpacked says nothing new.
    report = await command("accounting", "import", str(plain), "--server", "pmta1")
    assert "again.csv: 0 records taken in, 10 had counted before, 7 cannot be read" in report
    assert await counts(core) == {kind: (n, n) for kind, (n, _) in once.items()}
    assert (await api("GET", "/api/v2/accounting/rejected"))[1]["total"] == 7
