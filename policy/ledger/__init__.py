"""The ledger: counters in Valkey or Redis behind one atomic decision."""
