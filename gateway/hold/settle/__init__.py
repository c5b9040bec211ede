"""What became of rows that were claimed, and of those in doubt."""
