"""The double of PowerMTA's command refuses what the guide does not have."""

import json
import subprocess
from pathlib import Path

import pytest

from loadtest.pmta.double import CommandError
from tests.support.pmta.double import Pmta


@pytest.fixture
def pmta(tmp_path: Path) -> Pmta:
    return Pmta(tmp_path / "pmta")


@pytest.mark.parametrize(
    "command",
    [
        *("", "status", "show", "show licence", "show status now", "validate", "register"),
        *("test config /etc/pmta/config", "show status --json", "--json --xml show status"),
        *("delete", "list", "pause queue", "set queue gmail.com/v1", "rotate", "reload now"),
    ],
)
def test_what_nobody_documents_is_refused(pmta: Pmta, command: str) -> None:
    done = pmta.run(*command.split())
    assert (done.returncode, bool(done.stdout.strip())) == (1, True)


@pytest.mark.parametrize(
    "command",
    [
        *("show status", "show version", "show license", "show disabled sources", "reset counters"),
        *("pause queue gmail.com/v1", "resume queue gmail.com", "rotate acct", "rotate log"),
        *("set queue --mode=backoff gmail.com/v1", "delete --queue=gmail.com/v1 --dsn"),
        *("disable source --reenable-after=1h 192.0.2.1 gmail.com/v1", "list --jobId=7"),
    ],
)
def test_what_the_guide_has_is_answered(pmta: Pmta, command: str) -> None:
    done = pmta.run("--json", *command.split())
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["status"] == "success"


def test_a_bad_file_is_named_by_its_line_and_what_runs_stays(pmta: Pmta) -> None:
    pmta.put(
        "config",
        "log-file /x\n<virtual-mta a>\n smtp-source-host 192.0.2.1 a.example\n</virtual-mta>\n",
    )
    assert pmta.run("test", "config").returncode == 0
    assert pmta.run("reload").returncode == 0
    pmta.put("config", "log-file /x\n<virtual-mta b>\n domain-selection x\n</virtual-mta>\n")
    for command in ("test config", "reload"):
        done = pmta.run(*command.split())
        assert done.returncode == 1
        assert "line 3" in done.stdout
    assert json.loads(pmta.run("--json", "show", "vmtas").stdout)["data"] == {"vmta": ["a"]}


def test_one_that_does_not_run_says_so(pmta: Pmta) -> None:
    pmta.put("down", "")
    done = pmta.run("--json", "show", "status")
    assert (done.returncode, "is it running" in done.stdout) == (1, True)


MTA = "<virtual-mta {0}>\n smtp-source-host 192.0.2.1 {0}.example\n</virtual-mta>\n"


def test_what_runs_is_what_was_loaded_with_all_that_was_included_then(
    pmta: Pmta, tmp_path: Path
) -> None:
    other = tmp_path / "other.conf"
    pmta.put("config", f"log-file /x\ninclude {other}\n{MTA.format('a')}")
    assert "other.conf" in pmta.run("test", "config").stdout
    other.write_text(MTA.format("b"))
    assert pmta.run("reload").returncode == 0
    other.write_text("nonsense\n")
    assert pmta.run("reload").returncode == 1
    assert json.loads(pmta.run("--json", "show", "vmtas").stdout)["data"] == {"vmta": ["a", "b"]}
    assert pmta.run("show", "status").returncode == 0
    with pytest.raises(CommandError, match="line 1"):
        pmta.restart()
    assert "is it running" in pmta.run("show", "status").stdout
    other.write_text(MTA.format("c"))
    assert "c.example" in pmta.restart()
    assert pmta.running == pmta.restart()
    assert pmta.run("show", "status").returncode == 0


def test_a_key_that_is_not_there_is_a_load_error(pmta: Pmta, tmp_path: Path) -> None:
    pmta.put("config", f"log-file /x\ndomain-key s, a.example, {tmp_path}/a.pem\n")
    assert "a.pem" in pmta.run("test", "config").stdout
    (tmp_path / "a.pem").write_text("key")
    assert pmta.run("test", "config").returncode == 0


def test_queues_are_shown_with_what_waits_and_which_are_paused(pmta: Pmta) -> None:
    pmta.put("queued.json", {"gmail.com/v1": 7, "aol.com/v1": 0})
    pmta.run("pause", "queue", "gmail.com/v1")
    assert json.loads(pmta.run("--json", "show", "queues").stdout)["data"]["queue"] == [
        {"name": "aol.com/v1", "rcp": 0, "paused": False},
        {"name": "gmail.com/v1", "rcp": 7, "paused": True},
    ]


def test_it_refuses_and_hangs_where_it_is_told_to(pmta: Pmta) -> None:
    pmta.put("config", MTA.format("a"))
    pmta.put("refused.json", {"reload": "Error: no"})
    done = pmta.run("reload")
    assert (done.returncode, done.stdout.strip(), pmta.running) == (1, "Error: no", "")
    pmta.put("refused.json", {})
    pmta.put("gates.json", ["after reload"])
    process = subprocess.Popen([pmta.command, "reload"], stdout=subprocess.PIPE)
    pmta.reached("after reload")
    assert "a.example" in pmta.running
    pmta.put("gates.json", [])
    assert b"reloaded" in process.communicate(timeout=30)[0]
    assert pmta.log == ["reload", "reload"]
