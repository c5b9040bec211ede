"""What became of each message, for a search by recipient."""

from control.store.migrations.script import run

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0017_pre_outcomes.sql")
