"""Sessions as FastAPI applications make them. None of these knows afterward."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker


class SubclassedSession(AsyncSession):
    """A session with more methods, as SQLModel's."""

    async def exec(self, statement: Any) -> Any:
        """Execute a statement."""
        return await self.execute(statement)


class Sessions:
    """Every kind of session dependency, for one database."""

    def __init__(self, engine: AsyncEngine, sync_engine: Engine) -> None:
        self.make = async_sessionmaker(engine)
        self.make_subclassed = async_sessionmaker(engine, class_=SubclassedSession)
        self.make_sync = sessionmaker(sync_engine)

    async def usual(self) -> AsyncIterator[AsyncSession]:
        """Yield a session that nobody commits, as in FastAPI's tutorials."""
        async with self.make() as session:
            yield session

    async def subclassed(self) -> AsyncIterator[SubclassedSession]:
        """Yield a session of another class."""
        async with self.make_subclassed() as session:
            yield session

    async def committing(self) -> AsyncIterator[AsyncSession]:
        """Yield a session, and commit it when the handler returns."""
        async with self.make() as session:
            try:
                yield session
                await session.commit()
            except IntegrityError as error:
                await session.rollback()
                raise HTTPException(409) from error

    def sync(self) -> Iterator[Session]:
        """Yield a session for `def` routes that nobody commits."""
        with self.make_sync() as session:
            yield session

    def sync_committing(self) -> Iterator[Session]:
        """Yield a session for `def` routes, and commit it."""
        with self.make_sync() as session:
            try:
                yield session
                session.commit()
            except Exception:
                session.rollback()
                raise

    def aliases(self) -> dict[str, Any]:
        """Return every dependency, as applications name it."""
        return {
            "usual": Annotated[AsyncSession, Depends(self.usual)],
            "subclassed": Annotated[SubclassedSession, Depends(self.subclassed)],
            "committing": Annotated[
                AsyncSession, Depends(self.committing, scope="function")
            ],
            "committing late": Annotated[AsyncSession, Depends(self.committing)],
            "sync": Annotated[Session, Depends(self.sync)],
            "sync committing": Annotated[Session, Depends(self.sync_committing)],
        }
