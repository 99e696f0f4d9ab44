"""Alembic's entry point; the connection comes from `Database.migrate`, never from a file."""

from alembic import context

from bento_service.catalogue.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
