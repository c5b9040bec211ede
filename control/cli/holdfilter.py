"""--tenant --campaign --recipient --reason --message: which held messages are meant."""

from typing import Annotated

import typer

from control.terminal.usage import misused

Tenant = Annotated[str | None, typer.Option(help="Of this tenant.")]
Campaign = Annotated[str | None, typer.Option(help="Of this campaign.")]
Recipient = Annotated[str | None, typer.Option(help="To this address, in any language.")]
Reason = Annotated[str | None, typer.Option(help="That wait for this: ip_quota, failed, …")]
Message = Annotated[str | None, typer.Option(help="Message id or envelope id.")]


def filters(
    tenant: str | None,
    campaign: str | None,
    recipient: str | None,
    reason: str | None,
    message: str | None,
) -> dict[str, str]:
    """Those that were given. Raises a usage error for an empty one: it would match any."""
    given = {
        "tenant": tenant,
        "campaign": campaign,
        "recipient": recipient,
        "reason": reason,
        "message": message,
    }
    for name, value in given.items():
        if value is not None:
            readable(f"--{name}", value)
    return {name: value for name, value in given.items() if value is not None}


def readable(name: str, value: str) -> str:
    """The value. Raises a usage error for one that is empty or no UTF-8."""
    if not value:
        raise misused(f"{name}: is empty; leave it out to match any")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise misused(f"{name}: not UTF-8; is the terminal's locale a UTF-8 one?") from error
    return value
