"""Days that are over: from the ledger into PostgreSQL, compared with accounting, then let go."""
