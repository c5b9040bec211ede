"""`sendgate explain reply`: the rule, its page and what follows, asked of no server."""

import json

import pytest

from control.cli.main import run

BLOCKED = (
    "smtp;550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your "
    "provider since part of their network is on our block list (S3150)."
)


def test_a_reply_is_explained_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "reply", BLOCKED, "--provider", "microsoft"]) == 0
    first, scope, source, golden = capsys.readouterr().out.splitlines()
    assert first.startswith("microsoft-s3150: it is about the source IP; ")
    assert scope == "scope ip, kind block, action pause"
    assert source.startswith("source: https://")
    assert "S3150" in golden


def test_programs_read_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "reply", "421 4.7.0 [TSS04] Messages deferred", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rule"], found["action"], found["hard"]) == ("yahoo-tss04", "backoff", False)
    assert found["seconds"] > 0
    assert found["source"].startswith("https://")
    assert found["version"] >= 1


def test_a_status_of_the_record_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    banned = "550 Access denied, banned sending IP [192.0.2.1]"
    assert run(["explain", "reply", banned, "--provider=microsoft"]) == 1
    capsys.readouterr()
    assert run(["explain", "reply", banned, "--provider=microsoft", "--status=5.7.606"]) == 0
    assert capsys.readouterr().out.startswith("microsoft-banned-ip: ")


def test_what_no_rule_knows_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "reply", "550 we are closed today"]) == 1
    assert capsys.readouterr().out.startswith("no rule knows this reply")
    assert run(["explain", "reply", "550 we are closed today", "--json"]) == 1
    assert json.loads(capsys.readouterr().out).get("rule") is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["reply", BLOCKED, "--provider", "gmial"], "did you mean gmail?"),
        (["reply"], "missing argument 'text'"),
        (["--tenant", "acme", "reply", BLOCKED], "its options stand after it"),
        ([], "give --tenant, --from and --to, or --message"),
    ],
)
def test_a_wrong_use_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *words]) == 2
    assert says in capsys.readouterr().err
