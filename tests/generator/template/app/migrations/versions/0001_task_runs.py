"""The table of task runs."""

revision: str = "0001"
down_revision = None
