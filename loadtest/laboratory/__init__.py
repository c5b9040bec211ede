"""The load laboratory: scenarios of many tenants and mailboxes, run on a moved clock, and judged by
PowerMTA's books."""
