"""Mail that reached PowerMTA without a gateway."""

from control.store.migrations.script import run

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0024_pre_bypass.sql")
