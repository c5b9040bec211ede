"""History of accounting that is imported."""

from control.store.migrations.script import run

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0030_pre_accounting_import.sql")
