"""Former passwords of logins, each with its end."""

from control.store.migrations.script import run

revision = "0075"
down_revision = "0074"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0075_pre_login_former.sql")
