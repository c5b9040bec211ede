"""Recipients that get no mail any more, of one tenant or of all."""

from control.store.migrations.script import run

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0026_pre_suppressions.sql")
