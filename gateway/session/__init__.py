"""One client: its dialogue, commands, AUTH, envelope and content."""
