"""When a login was last used."""

from control.store.migrations.script import run

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0017_pre_login_used.sql")
