"""Options of `sendgate tenant add` and `set` about the hold queue; `default` takes one back."""

from typing import Annotated, Any

import typer

from control.ledger.clock import step_seconds
from control.problem import RefusedError
from control.terminal.usage import misused, one_of

DEFAULT = "default"

Messages = Annotated[
    str | None, typer.Option("--hold-messages", help="Most that may wait, or default.")
]
Octets = Annotated[
    str | None, typer.Option("--hold-bytes", help="Most octets that may wait, or default.")
]
Age = Annotated[str | None, typer.Option("--hold-age", help="30d, 12h: longest wait, or default.")]
Past = Annotated[
    str | None, typer.Option("--hold-past", help="Beyond a bound: defer, accept or default.")
]
Repeats = Annotated[
    str | None,
    typer.Option("--duplicates", help="campaign, message-id, content, off or default."),
]
FeedbackId = Annotated[
    str | None,
    typer.Option(
        "--feedback-id",
        help="Regular expression with groups campaign and subscriber, or default.",
    ),
]
ListUnsubscribe = Annotated[
    str | None, typer.Option("--list-unsubscribe", help="As --feedback-id; or default.")
]
Dsn = Annotated[
    bool | None,
    typer.Option(
        "--dsn/--no-dsn",
        help="Report expiry and late refusals by mail to MAIL FROM (default: for profile mta).",
    ),
]


def hold_terms(
    messages: str | None,
    octets: str | None,
    age: str | None,
    past: str | None,
    duplicates: str | None,
    feedback_id: str | None,
    list_unsubscribe: str | None,
    dsn: bool | None,
) -> dict[str, Any]:
    """The fields of the options that were given. Raises a usage error."""
    one_of("--hold-past", past, "defer", "accept", DEFAULT)
    one_of("--duplicates", duplicates, "campaign", "message-id", "content", "off", DEFAULT)
    body: dict[str, Any] = {}
    for key, option, text in (
        ("hold_messages", "--hold-messages", messages),
        ("hold_bytes", "--hold-bytes", octets),
    ):
        if text is not None:
            body[key] = _number(option, text)
    if age is not None:
        body["hold_age"] = _seconds("--hold-age", age)
    for key, text in (
        ("hold_past", past),
        ("duplicates", duplicates),
        ("feedback_id", feedback_id),
        ("list_unsubscribe", list_unsubscribe),
    ):
        if text is not None:
            body[key] = None if text == DEFAULT else text
    if dsn is not None:
        body["dsn"] = dsn
    return body


def _number(option: str, text: str) -> int | None:
    if text == DEFAULT:
        return None
    if not (text.isascii() and text.isdigit()):
        raise misused(f"{option}: {text!r} is neither a number nor {DEFAULT}")
    return int(text)


def _seconds(option: str, text: str) -> int | None:
    if text == DEFAULT:
        return None
    try:
        return step_seconds(text)
    except RefusedError as error:
        raise misused(f"{option}: {text!r} is neither a time such as 30d nor {DEFAULT}") from error
