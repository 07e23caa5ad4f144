"""The outbox of the durable patterns. It is there under every pattern, and empty in the others."""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

OPEN = sa.text("state IN ('pending', 'retrying', 'running')")


def upgrade() -> None:
    """Create the table and the indexes that keep claims and lists fast, however many rows are done."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "task_runs",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("published_at", moment),
        sa.Column("publish_again_at", moment),
        sa.Column("publishes", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("run_at", moment),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.Column("progress", sa.Float()),
        sa.Column("progress_note", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("traceback", sa.Text()),
    )
    _index("ix_task_runs_due", ["priority", "due_at"], OPEN)
    _index("ix_task_runs_lease", ["due_at"], sa.text("state IN ('running')"))
    _index("ix_task_runs_published", ["publish_again_at"], sa.text("publish_again_at IS NOT NULL"))
    served = sa.text("state NOT IN ('pending', 'retrying') AND published_at IS NOT NULL")
    _index("ix_task_runs_served", ["name", "published_at"], served)
    _index("ix_task_runs_ended", ["finished_at"], sa.text("finished_at IS NOT NULL"))
    # For the lists, the newest first.
    op.create_index("ix_task_runs_created", "task_runs", ["created_at", "id"])
    op.create_index("ix_task_runs_state", "task_runs", ["state", "created_at", "id"])
    op.create_index("ix_task_runs_name", "task_runs", ["name", "created_at", "id"])


def downgrade() -> None:
    """Drop the table, and every record of past task runs with it."""
    op.drop_table("task_runs")


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "task_runs", columns, sqlite_where=where, postgresql_where=where)
