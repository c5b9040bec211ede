"""History of accounting that is imported."""

from control.store.migrations.script import run

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0033_pre_accounting_import.sql")
