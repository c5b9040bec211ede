"""The double of PowerMTA's command refuses what the guide does not have."""

import json
from pathlib import Path

import pytest

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
