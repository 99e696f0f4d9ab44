"""Skipped files of jobs with their reasons, and jobs that follow links; texts in one normal form.

Filters compare texts as composed characters, so the attributes of earlier images are rewritten.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("skipped", sa.JSON))
    flag = sa.Column("follow_links", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("jobs", flag)
    attributes = sa.table("attributes", sa.column("text", sa.Text()))
    connection = op.get_bind()
    texts = connection.scalars(sa.select(attributes.c.text).distinct()).all()
    for text in texts:
        composed = text and unicodedata.normalize("NFC", text)
        if composed != text:
            where = attributes.c.text == text
            connection.execute(sa.update(attributes).where(where).values(text=composed))
