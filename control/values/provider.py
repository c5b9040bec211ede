"""Mailbox providers, as what is asked for names them."""

from typing import Annotated

import msgspec

from control.problem import bad, quoted
from policy.provider import PROVIDERS

ProviderText = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(PROVIDERS)})]
"""One of our table; which those are is data, so that no type has them."""
ALL_KNOWN = msgspec.Meta(extra_json_schema={"propertyNames": {"enum": list(PROVIDERS)}})
"""Of an object whose keys are providers."""


def known_provider(text: str, field: str = "provider") -> str:
    """Raises RefusedError that names those there are."""
    if text not in PROVIDERS:
        raise bad(field, f"{quoted(text)} is no provider; known: {', '.join(PROVIDERS)}")
    return text
