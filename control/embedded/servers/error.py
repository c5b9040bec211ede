"""What goes wrong with an embedded part, in words for the person at the terminal."""


class LocalPartError(RuntimeError):
    """An embedded part cannot run; the text says why and what to do about it."""


class EndedEarlyError(LocalPartError):
    """The server ended before it answered; the end of its log is in the text."""
