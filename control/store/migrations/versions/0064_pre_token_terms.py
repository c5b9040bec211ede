"""Networks, an end and further tenants of tokens."""

from control.store.migrations.script import run

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0064_pre_token_terms.sql")
