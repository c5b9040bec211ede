"""An operator says what became of mail in doubt."""

from control.store.migrations.script import run

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0013_pre_hold_settle.sql")
