"""A request that comes twice is done once."""

from control.store.migrations.script import run

revision = "0068"
down_revision = "0067"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0068_pre_request_once.sql")
