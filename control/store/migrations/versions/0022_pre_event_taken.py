"""Events say no more when the sender's system was told: nobody wrote it."""

from control.store.migrations.script import run

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0022_pre_event_taken.sql")
