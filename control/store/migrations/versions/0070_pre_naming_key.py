"""Secrets are replaced while their digests stay, and the last use of each is known."""

from control.store.migrations.script import run

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0070_pre_naming_key.sql")
