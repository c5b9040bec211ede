"""How far mailboxes have come in their day: what each sent, and what it should have."""
