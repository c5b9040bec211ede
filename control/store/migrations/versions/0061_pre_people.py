"""People, their sessions, and what keeps others out."""

from control.store.migrations.script import run

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0061_pre_people.sql")
