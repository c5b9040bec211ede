"""How far mailboxes come in their day."""

from control.store.migrations.script import run

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0054_pre_mailbox_progress.sql")
