"""What a tenant's client hears of a recipient that is suppressed."""

from control.store.migrations.script import run

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0031_pre_suppressed_term.sql")
