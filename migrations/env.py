"""How alembic reaches the database: over a connection that the caller opened, inside its transaction."""

from alembic import context

from tradestore.migrations import VERSION_TABLE

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
