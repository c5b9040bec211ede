"""Which mailbox provider a hosted domain is at."""
