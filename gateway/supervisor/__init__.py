"""The parent process and its children."""
