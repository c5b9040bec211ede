"""Accounting: which records PowerMTA writes, with which fields, and where it posts them. Pure.

Source: the guide's chapter 11; the webhook is of the edition of 2020 only.
"""

from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError, block, path, value

ACCT_FILE = "sendgate.csv"
"""PowerMTA makes `sendgate-YYYY-MM-DD-NNNN.csv` of it."""
_WEBHOOK_FILE = "sendgate-webhook.json"

_HEADERS = "header_From,header_Message-Id"
"""Whose mail it was, and the key by which MailWizz knows it."""
_DELIVERY = (
    "timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,"
    "srcType,srcMta,dlvType,dlvSourceIp,dlvDestinationIp,dlvSize,vmta,jobId,envId,queue,vmtaPool,"
    f"rcvSmtpUser,{_HEADERS}"
)
_REMOTE = "dsnStatus,dsnDiag,dsnMta,dsnReportingMta,bounceCat,srcType,srcMta,envId,format"

RECORD_FIELDS = {
    "r": "timeLogged,orig,rcpt,orcpt,srcType,srcMta,vmta,vmtaPool,jobId,envId,rcvSmtpUser,"
    + _HEADERS,
    "d": _DELIVERY,
    "b": _DELIVERY,
    "t": _DELIVERY,
    # Of a queue, without a recipient.
    "tq": "timeLogged,queue,vmta,dsnStatus,dsnDiag,dsnMta,dlvType,dlvSourceIp,dlvDestinationIp",
    "rb": f"timeLogged,orig,rcpt,orcpt,{_REMOTE},{_HEADERS}",
    "rs": f"timeLogged,orig,rcpt,orcpt,dsnAction,{_REMOTE},{_HEADERS}",
    "f": "timeLogged,repSourceIp,feedbackType,format,userAgent,envId,orig,rcpt,reportingMta,"
    f"dlvSourceIp,reportedDomain,{_HEADERS}",
}
"""By type, as the guide names its fields: all types it has."""

_POSTED = ("r", "d", "b", "t", "rb", "rs", "f")
"""A queue's own records say nothing of anybody."""


def accounting(terms: Terms, server: str | None) -> str:
    """The file of records, always, and the webhook beside it, which says whose they are. Raises
    ConfigValueError."""
    folder = path(terms.accounting)
    # Without sync a crash loses records, and a receipt that is missing proves nothing; control
    # reads the files as another user.
    lines = [*_records(RECORD_FIELDS), "iso-times yes", "sync yes", "world-readable yes"]
    blocks = [block("acct-file", f"{folder}/{ACCT_FILE}", lines)]
    if terms.webhook:
        blocks.append(_webhook(folder, terms, server))
    return "\n\n".join(blocks)


def _webhook(folder: str, terms: Terms, server: str | None) -> str:
    if not terms.webhook.startswith(("https://", "http://")):
        raise ConfigValueError(
            f"webhook {terms.webhook!r} begins neither with https:// nor http://"
        )
    whose = "" if server is None else f"?server={server}"
    lines = [*_records(_POSTED), f"http-webhook-url {value(terms.webhook + whose)}"]
    if terms.webhook_headers:
        lines.append(f"http-webhook-extra-headers {path(terms.webhook_headers)}")
    # The shortest it takes (its default is 5m): what is learnt late is learnt from more mail. The
    # answer comes when the batch is stored, which may take longer than its default of 5 s.
    lines += ["http-webhook-max-interval 1m", "http-webhook-io-timeout 30s", "max-size 1M"]
    text = block("acct-file", f"{folder}/{_WEBHOOK_FILE}", lines)
    return f"# Needs PowerMTA's edition of 2020. Records come by the file above, too.\n{text}"


def _records(kinds: tuple[str, ...] | dict[str, str]) -> list[str]:
    return [
        f"records {','.join(kinds)}",
        *(f"record-fields {kind} {RECORD_FIELDS[kind]}" for kind in kinds),
    ]
