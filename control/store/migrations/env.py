"""Alembic's entry: migrates the connection that `control.store.migrate` made."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
