"""Read by schemathesis in its own venv (SCHEMATHESIS_HOOKS): how to send what it has no words
for."""

import gzip
from typing import Any

import schemathesis


@schemathesis.serializer("application/gzip")
def packed(_: Any, value: Any) -> bytes:
    """As our agent does; what is no text or octets, as JSON would be."""
    return gzip.compress(value if isinstance(value, bytes) else repr(value).encode())
