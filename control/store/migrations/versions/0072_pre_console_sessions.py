"""Sessions of people in a browser."""

from control.store.migrations.script import run

revision = "0072"
down_revision = "0071"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0072_pre_console_sessions.sql")
