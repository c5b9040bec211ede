"""What the audit log says of secrets: that they were there. Pure."""

from typing import Any

import msgspec

MASK = "***"
SECRET = frozenset(
    {
        *("password", "secret", "totp", "pem", "private_key", "api_key", "authorization"),
        *("access_token", "refresh_token", "webhook_key"),
    }
)
"""Names of fields that have one."""


def without_secrets(value: Any) -> Any:
    """The same, as JSON has it, with a mask for each."""
    return _masked(msgspec.to_builtins(value))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK if str(key).lower() in SECRET and inner else _masked(inner)
            for key, inner in value.items()
        }
    return [_masked(one) for one in value] if isinstance(value, list | tuple) else value
