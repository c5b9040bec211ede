"""The ledger as a process uses it: reservations that travel together, the plan, denials."""
