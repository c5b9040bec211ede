"""Statistics: sums of what became of mail."""

from control.store.migrations.script import run

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0028_pre_statistics.sql")
