"""Duplicate keys of a tenant that are not a former one's of its name."""

from control.store.migrations.script import run

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0039_pre_keyed_by_id.sql")
