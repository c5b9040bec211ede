"""What this control process did since it started, for its metrics."""

from collections import Counter


class Done:
    """Of one process; a restart begins again at 0, as counters of Prometheus do."""

    def __init__(self) -> None:
        self.alerts: Counter[str] = Counter()
        """Messages about alerts that a channel took, by severity."""
        self.checks = 0
        """Questions that a blocklist answered, or should have."""

    def alerted(self, severity: str) -> None:
        """One message went out on one channel."""
        self.alerts[severity] += 1

    def checked(self, questions: int) -> None:
        """So many questions to blocklists are over."""
        self.checks += questions
