"""What was written since the last generation is known, so that a change compiles no more."""

from control.store.migrations.script import run

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0015_pre_plan_touched.sql")
