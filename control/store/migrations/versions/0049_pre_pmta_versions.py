"""PowerMTA's configuration in versions, what is wanted of each server, and what its agent said."""

from control.store.migrations.script import run

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0049_pre_pmta_versions.sql")
