"""The command line: options that stand anywhere, exit codes, one clear line."""

from pathlib import Path

import msgspec
import pytest
import typer
from rich.text import Text

from control.cli.main import app, run
from control.ledger.clock import step_seconds
from control.pmta.dkim import Seal, new_secret
from control.problem import RefusedError
from control.sources.dns import common, own, records, zone_text
from control.terminal.invocation import InvocationError, take
from control.values.time import moment


def test_options_of_every_command_may_stand_anywhere() -> None:
    for words in (
        ["--json", "--data-dir", "d", "tenant", "list", "--url=http://x"],
        ["tenant", "--url", "http://x", "list", "--data-dir=d", "--json"],
    ):
        line, rest = take(words, {})
        assert (line.json, line.url, line.data_dir, rest) == (
            True,
            "http://x",
            Path("d"),
            ["tenant", "list"],
        )
    assert take(["a", "--", "--json"], {})[1] == ["a", "--", "--json"]
    with pytest.raises(InvocationError):
        take(["--url"], {})
    assert take([], {"SENDGATE_URL": "u", "SENDGATE_TOKEN": "t"})[0].token == "t"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["tenant", "list", "--data-dir", "/nonexistent/x"], 1),
        (["tenant", "add"], 2),
        (["nothing"], 2),
        (["--url"], 2),
        (["clock", "--help"], 0),
        (["tenant", "add", "a", "--login", "l", "--password", "p", "--profile", "x"], 2),
        (["tenant", "add", "a", "--login", "l"], 2),
        (["up", "--smtp-port", "65536"], 2),
        (["up", "--api-port", "-1"], 2),
        (["ip", "set", "192.0.2.1", "--hourly-share", "nan"], 2),
        (
            [
                "domain",
                "add",
                "--tenant",
                "a",
                "--domain",
                "a.example",
                "--ip",
                "192.0.2.1",
                "--hourly-share",
                "inf",
            ],
            2,
        ),
        (["tenant", "set", "a"], 2),
        (["tenant", "set", "a", "--hours", "09:00-17:00", "--always"], 2),
        (["tenant", "set", "a", "--per-hour", "many"], 2),
        (["ledger", "open"], 1),
        (["ip", "set", "192.0.2.1"], 2),
        (["ip", "set", "192.0.2.1", "--ceiling", "gmail"], 2),
        (["ip", "set", "192.0.2.1", "--ceiling", "gmail=1", "--no-ceilings"], 2),
        (["ip", "set", "192.0.2.1", "--ceiling", "gmail=1", "--ceiling", "gmail=2"], 2),
        (["tenant", "list", "--url", "ftp://x"], 1),
        (["tenant", "list", "--url", "http://127.0.0.1:1"], 1),
    ],
)
def test_exit_codes(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    if code == 1:
        assert captured.err.startswith("sendgate: ")
        assert captured.err.count("\n") == 1
        assert captured.out == ""


def test_with_json_a_refusal_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "list", "--json", "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().out.startswith('{"type":')


@pytest.mark.parametrize(
    "words", [["ip", "set", "192.0.2.1"], ["tenant", "add"], ["--url"], ["nothing"]]
)
def test_with_json_a_usage_mistake_is_json_too(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--json", *words]) == 2
    assert msgspec.json.decode(capsys.readouterr().out)["status"] == 400


def test_check_says_each_problem_on_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        "[gateway]\nworkers = 0\n[ledger]\nname = 'A b'\n[warmup]\nhourly_share = nan\n"
    )
    assert run(["check", "--config", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("sendgate: ") for line in lines)
    assert any("1 to 32 lower-case letters" in line for line in lines)
    assert any("warmup.hourly_share" in line for line in lines)
    assert run(["check", "--json", "--config", str(file)]) == 2
    assert len(msgspec.json.decode(capsys.readouterr().out)["errors"]) == 3


def test_control_without_a_database_names_it_and_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text("[database]\nurl = 'postgresql://u:hunter2@127.0.0.1:1/db'\n")
    for words in (["control"], ["token", "list"]):
        assert run([*words, "--config", str(file)]) == 1
        error = capsys.readouterr().err
        assert "PostgreSQL at postgresql://***@127.0.0.1:1/db" in error
        assert "start it, or give its address in database.url (DATABASE_URL)" in error
        assert "hunter2" not in error


def test_steps_and_moments_of_the_clock() -> None:
    assert [step_seconds(t) for t in ("1d", "90m", "30s", "1d12h")] == [86400, 5400, 30, 129600]
    assert moment("2026-03-01T09:00:00+02:00", "set") == moment("2026-03-01T07:00:00Z", "set")
    assert moment("2026-03-01", "set") == moment("2026-03-01T00:00Z", "set")
    for wrong in ("", "1", "d", "-1d", "1w", "1.5d"):
        with pytest.raises(RefusedError):
            step_seconds(wrong)
    with pytest.raises(RefusedError):
        moment("tomorrow", "set")


def test_spf_lists_every_ip_of_the_pool_and_long_keys_are_split() -> None:
    hosts = [("192.0.2.2", "mail1.acme.example"), ("2001:db8::1", "mail2.acme.example")]
    shared = common("acme", "first.example", [ip for ip, _ in hosts], hosts)
    found = records(own("acme.example", shared, selector="sg", public="A" * 392), shared)
    by = {(r.name, r.type): r.value for r in found}
    include = by["_spf-acme.first.example", "TXT"]
    assert include == "v=spf1 ip4:192.0.2.2 ip6:2001:db8::1 -all"
    assert "include:_spf-acme.first.example" in by["acme.example", "TXT"]
    assert by["2.2.0.192.in-addr.arpa", "PTR"] == "mail1.acme.example."
    assert by["mail2.acme.example", "AAAA"] == "2001:db8::1"
    dkim = next(r for r in found if "_domainkey" in r.name)
    assert all(len(part) <= 255 for part in zone_text(dkim).split('"')[1::2])


def test_a_dkim_key_opens_with_its_secret_alone() -> None:
    key = Seal(new_secret()).new_key()
    with pytest.raises(RefusedError, match="not the one"):
        Seal(new_secret()).open(key.sealed)
    with pytest.raises(RefusedError, match="not set"):
        Seal("").new_key()
    with pytest.raises(RefusedError, match=r"control\.secret"):
        Seal("short")


def test_help_is_shown_as_it_is_written() -> None:
    """What looks like markup is left out by the one who prints it."""
    commands, seen = [typer.main.get_command(app)], 0
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        for text in (command.help, *(getattr(p, "help", None) for p in command.params)):
            if text:
                seen += 1
                assert Text.from_markup(text).plain == text
    assert seen > 100


def test_help_cuts_no_name_of_an_option_or_a_setting_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["tenant", "set", "--help"]) == 0
    said = capsys.readouterr().out
    for name in ("--mailbox-spacing-max <", "warmup.min_daily_quota.", "discover|refuse|shared"):
        assert name in said
    assert "…" not in said
