"""What may be sent, by whom, from where, how fast: pure decisions. Start with README.md."""
