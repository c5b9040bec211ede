"""The table of outcomes (policy/README.md), line by line."""

import re

import pytest

from policy.outcome import (
    DEFAULT_SUPPRESSION,
    Asked,
    Failed,
    Refused,
    Relayed,
    Scope,
    Stage,
    classify,
)
from policy.reply import Reply

SUPPRESSION = re.compile(DEFAULT_SUPPRESSION, re.IGNORECASE)


def verdict(stage: Stage, code: int, status: str = "", text: str = "") -> object:
    return classify(stage, Reply(code, status, text), SUPPRESSION)


def test_only_a_250_after_the_dot_is_relayed() -> None:
    assert isinstance(verdict(Stage.DOT, 250, "2.6.0"), Relayed)
    with pytest.raises(ValueError, match="does not end an attempt"):
        verdict(Stage.RCPT, 250)


@pytest.mark.parametrize(
    ("stage", "code", "status", "text"),
    [
        (Stage.RCPT, 550, "5.1.1", "no such user"),
        (Stage.RCPT, 550, "", "no such user"),
        (Stage.RCPT, 553, "5.1.3", "bad address"),
        (Stage.RCPT, 550, "5.7.1", "recipient is in suppression list"),
        (Stage.RCPT, 550, "5.7.1", "address suppressed"),
        (Stage.DOT, 554, "5.6.0", "content"),
        (Stage.DOT, 550, "5.7.1", "content rejected"),
        (Stage.DOT, 552, "5.3.4", "too big"),
        (Stage.MAIL, 552, "5.3.4", "too big"),
        (Stage.MAIL, 553, "5.1.7", "bad sender"),
        (Stage.MAIL, 555, "5.5.4", "parameter"),
        (Stage.MAIL, 550, "5.1.8", "bad sender domain"),
        (Stage.MAIL, 550, "5.6.7", "no utf8"),
    ],
)
def test_a_verdict_about_the_message_is_the_clients(
    stage: Stage, code: int, status: str, text: str
) -> None:
    outcome = verdict(stage, code, status, text)
    assert isinstance(outcome, Refused)
    assert (outcome.reply.code, outcome.reply.text) == (code, text)


@pytest.mark.parametrize(
    ("stage", "code", "status", "text", "scope", "immediate"),
    [
        (Stage.GREETING, 421, "4.3.2", "busy", Scope.SERVER, True),
        (Stage.GREETING, 554, "", "go away", Scope.SERVER, True),
        (Stage.EHLO, 502, "", "no", Scope.SERVER, False),
        (Stage.STARTTLS, 454, "", "no", Scope.SERVER, False),
        (Stage.AUTH, 535, "5.7.8", "wrong", Scope.SERVER, True),
        (Stage.MAIL, 452, "4.3.2", "resources", Scope.SERVER, False),
        (Stage.MAIL, 530, "5.7.0", "auth", Scope.SERVER, True),
        (Stage.MAIL, 550, "5.7.1", "not you", Scope.SERVER, False),
        (Stage.RCPT, 451, "4.2.1", "later", Scope.MESSAGE, False),
        (Stage.RCPT, 450, "", "later", Scope.MESSAGE, False),
        (Stage.RCPT, 452, "4.3.1", "full", Scope.MESSAGE, False),
        (Stage.RCPT, 421, "4.3.2", "closing", Scope.SERVER, False),
        (Stage.MAIL, 451, "4.1.8", "sender's domain", Scope.MESSAGE, False),
        (Stage.MAIL, 452, "4.3.4", "too big now", Scope.MESSAGE, False),
        (Stage.MAIL, 451, "4.7.1", "too many", Scope.SERVER, False),
        (Stage.MAIL, 501, "5.5.4", "parameters", Scope.MESSAGE, False),
        (Stage.MAIL, 550, "5.1.0", "sender", Scope.MESSAGE, False),
        (Stage.DOT, 451, "4.7.1", "content is looked at", Scope.MESSAGE, False),
        (Stage.DOT, 452, "4.2.2", "mailbox full", Scope.MESSAGE, False),
        (Stage.DOT, 451, "4.6.5", "conversion", Scope.MESSAGE, False),
        (Stage.DOT, 452, "4.3.4", "too big now", Scope.MESSAGE, False),
        (Stage.DOT, 452, "4.3.1", "disk full", Scope.SERVER, False),
        (Stage.DOT, 451, "", "later", Scope.SERVER, False),
        (Stage.DOT, 421, "4.7.0", "closing", Scope.SERVER, False),
        (Stage.RCPT, 550, "5.7.1", "relaying denied", Scope.SERVER, False),
        (Stage.RCPT, 550, "5.7.1", "no", Scope.MESSAGE, False),
        (Stage.RCPT, 550, "", "we do not relay; relaying denied", Scope.SERVER, False),
        (Stage.DATA, 451, "", "later", Scope.SERVER, False),
        (Stage.DATA, 554, "", "no valid recipients", Scope.SERVER, False),
        (Stage.DOT, 421, "4.3.2", "closing", Scope.SERVER, False),
        (Stage.DOT, 451, "4.3.0", "later", Scope.SERVER, False),
        (
            Stage.DOT, 550, "5.5.0", "specified Virtual MTA 'x' does not exist",
            Scope.VMTA, True,
        ),
        (Stage.DOT, 550, "5.5.4", "virtual mta unknown", Scope.VMTA, True),
    ],
)  # fmt: skip
def test_everything_else_is_ours(
    stage: Stage, code: int, status: str, text: str, scope: Scope, immediate: bool
) -> None:
    outcome = verdict(stage, code, status, text)
    assert isinstance(outcome, Failed)
    assert (outcome.scope, outcome.immediate) == (scope, immediate)


def test_what_is_said_before_a_message_is_named_says_nothing_of_it() -> None:
    full = verdict(Stage.GREETING, 421, "4.3.2", "all slots are taken")
    assert isinstance(full, Failed)
    assert (full.asked, full.full) == (Asked.NOTHING, True)
    closed = verdict(Stage.GREETING, 554)
    assert isinstance(closed, Failed)
    assert (closed.asked, closed.full) == (Asked.SESSION, False)
    later = verdict(Stage.RCPT, 451)
    assert isinstance(later, Failed)
    assert later.asked is Asked.MESSAGE
