"""Where mailboxes' ramps began, beside the ledger; the index of a mailbox's resting mail."""

from control.store.migrations.script import run

revision = "0063"
down_revision = "0062"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0063_pre_mailbox_began.sql")
