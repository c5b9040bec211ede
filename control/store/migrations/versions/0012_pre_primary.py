"""Which server the database was last known to be on."""

from control.store.migrations.script import run

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0012_pre_primary.sql")
