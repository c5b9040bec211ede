"""What mailboxes lack to their daily minimum, by day and pool."""

from control.store.migrations.script import run

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0057_pre_hold_shortfall.sql")
