"""The token-protected HTTP API."""
