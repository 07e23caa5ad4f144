"""The distance between vectors, computed by the database: pgvector, or sqlite-vec.

Not every Python lets SQLite load extensions (pyenv's and macOS's own do not). There the same
function is given to SQLite in Python: right, but slower, fine for some ten thousand chunks.
"""

import sqlite3
from typing import Any

import aiosqlite
import numpy as np
import sqlite_vec
from sqlalchemy import Engine, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Float, Integer

LOADS_EXTENSIONS = hasattr(sqlite3.Connection, "enable_load_extension")


class cosine_distance(GenericFunction[float]):  # as SQL spells it
    """The cosine distance of two vectors: 0 when they point the same way, 2 at most."""

    type = Float()
    inherit_cache = True


@compiles(cosine_distance, "sqlite")
def _in_sqlite(element: cosine_distance, compiler: SQLCompiler, **options: Any) -> str:
    return f"vec_distance_cosine({compiler.process(element.clauses, **options)})"


@compiles(cosine_distance, "postgresql")
def _in_postgresql(element: cosine_distance, compiler: SQLCompiler, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({left} <=> {right})"


class dimensions(GenericFunction[int]):  # as SQL spells it
    """The length of a vector: no distance can be told between two that differ in it."""

    type = Integer()
    inherit_cache = True


@compiles(dimensions, "sqlite")
def _bytes_in_sqlite(element: dimensions, compiler: SQLCompiler, **options: Any) -> str:
    return f"(length({compiler.process(element.clauses, **options)}) / 4)"


@compiles(dimensions, "postgresql")
def _of_pgvector(element: dimensions, compiler: SQLCompiler, **options: Any) -> str:
    return f"vector_dims({compiler.process(element.clauses, **options)})"


@event.listens_for(Engine, "connect")
def _prepare_connection(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        prepare(connection)
    elif "sqlite" in type(connection).__name__:
        connection.run_async(prepare_async)


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection the function `vec_distance_cosine`."""
    if LOADS_EXTENSIONS:
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
    else:
        connection.create_function("vec_distance_cosine", 2, distance, deterministic=True)


async def prepare_async(connection: aiosqlite.Connection) -> None:
    """Do the same for a connection of async code."""
    if LOADS_EXTENSIONS:
        await connection.enable_load_extension(True)
        await connection.load_extension(sqlite_vec.loadable_path())
        await connection.enable_load_extension(False)
    else:
        await connection.create_function("vec_distance_cosine", 2, distance, deterministic=True)


def distance(left: bytes, right: bytes) -> float:
    """Return the cosine distance as sqlite-vec does."""
    a, b = np.frombuffer(left, np.float32), np.frombuffer(right, np.float32)
    if len(a) != len(b):
        raise ValueError(f"vectors of different length: {len(a)} and {len(b)}")
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
