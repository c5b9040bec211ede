"""Whether each part that mail needs answers, looked at every five minutes."""
