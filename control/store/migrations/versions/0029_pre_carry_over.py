"""What PowerMTA still tries of earlier days."""

from control.store.migrations.script import run

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0029_pre_carry_over.sql")
