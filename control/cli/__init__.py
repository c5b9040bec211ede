"""The `sendgate` command."""
