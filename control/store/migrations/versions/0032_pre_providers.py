"""Which provider a hosted domain is at."""

from control.store.migrations.script import run

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0032_pre_providers.sql")
