"""The HTTP API: decode, call, encode. No rules here."""
