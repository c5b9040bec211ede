"""All sending is stopped while its row is there."""

from control.store.migrations.script import run

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0052_pre_sending_stop.sql")
