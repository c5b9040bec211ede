"""The agent on PowerMTA's host. It needs no database, no ledger and no server: the standard
library, msgspec, and the readers of files that control has."""
