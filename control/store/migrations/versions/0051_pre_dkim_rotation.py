"""DKIM keys that are replaced in stages."""

from control.store.migrations.script import run

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0051_pre_dkim_rotation.sql")
