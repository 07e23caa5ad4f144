"""Statements that documents and chat share."""

from collections.abc import Sequence
from typing import Any

import anyio
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.database import Base, engine


async def fetch_all(statement: sa.Executable) -> Sequence[sa.Row[Any]]:
    """Return all rows of a query, outside the request's session.

    The client of a stream may disconnect meanwhile. The query is finished all the same,
    because a cancelled one would leave its connection open.
    """
    rows: Sequence[sa.Row[Any]] = ()
    with anyio.CancelScope(shield=True):
        async with engine().connect() as connection:
            rows = (await connection.execute(statement)).all()
    return rows


def insert(table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that has ON CONFLICT, which SQLAlchemy offers per database."""
    if engine().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
