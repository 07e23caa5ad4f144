"""The tables of afterward, under every pattern: promote needs no migration."""

from afterward.outbox import migrations

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the tables."""
    migrations.upgrade(to=1)


def downgrade() -> None:
    """Drop the tables, and every record of past task runs with them."""
    migrations.downgrade()
