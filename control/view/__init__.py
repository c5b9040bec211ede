"""What the API shows: values worked out from rows, the generation and the ledger's counters."""
