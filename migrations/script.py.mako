"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what is added, and why."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Say what is kept, and what cannot be."""
    ${downgrades if downgrades else "pass"}
