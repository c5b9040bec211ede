"""Sendgate with all it needs on one machine: servers, the stack of them, the demo."""
