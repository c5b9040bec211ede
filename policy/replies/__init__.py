"""What mailbox providers say when they refuse or put off mail, and what follows from it. Pure."""
