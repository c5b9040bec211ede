"""Lines are read by their own index, whatever PostgreSQL believes to be there."""

from control.store.migrations.script import run

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0067_pre_held_readied.sql")
