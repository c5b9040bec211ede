"""The `sendgate` command: reads the line, calls the API, shows the answer."""
