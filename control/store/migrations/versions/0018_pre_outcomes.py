"""What became of each message, for a search by recipient."""

from control.store.migrations.script import run

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0018_pre_outcomes.sql")
