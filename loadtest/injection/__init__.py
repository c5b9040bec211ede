"""The parts of our own injector: what it sends, one session, what was counted."""
