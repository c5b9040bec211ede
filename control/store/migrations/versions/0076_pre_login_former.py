"""Former passwords of logins, each with its end."""

from control.store.migrations.script import run

revision = "0076"
down_revision = "0075"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0076_pre_login_former.sql")
