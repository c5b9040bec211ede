"""What a token may do, and whose."""

from control.store.migrations.script import run

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0016_pre_token_roles.sql")
