"""The distance between vectors, computed by the database: pgvector or sqlite-vec.

Some builds of Python cannot load SQLite extensions (those of pyenv and macOS). There,
Python computes the same function. It is slower, and fast enough for 10,000 chunks.
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


class cosine_distance(GenericFunction[float]):  # spelled as in SQL
    """The cosine distance of two vectors: from 0, the same direction, to 2."""

    type = Float()
    inherit_cache = True


@compiles(cosine_distance, "sqlite")
def _sqlite_cosine_distance(
    element: cosine_distance, compiler: SQLCompiler, **options: Any
) -> str:
    return f"vec_distance_cosine({compiler.process(element.clauses, **options)})"


@compiles(cosine_distance, "postgresql")
def _postgresql_cosine_distance(
    element: cosine_distance, compiler: SQLCompiler, **options: Any
) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({left} <=> {right})"


class dimensions(GenericFunction[int]):  # spelled as in SQL
    """The length of a vector. Vectors of different lengths have no distance."""

    type = Integer()
    inherit_cache = True


@compiles(dimensions, "sqlite")
def _sqlite_dimensions(
    element: dimensions, compiler: SQLCompiler, **options: Any
) -> str:
    return f"(length({compiler.process(element.clauses, **options)}) / 4)"


@compiles(dimensions, "postgresql")
def _postgresql_dimensions(
    element: dimensions, compiler: SQLCompiler, **options: Any
) -> str:
    return f"vector_dims({compiler.process(element.clauses, **options)})"


@event.listens_for(Engine, "connect")
def _prepare_connection(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        add_distance(connection)
    elif "sqlite" in type(connection).__name__:
        connection.run_async(add_distance_async)


def add_distance(connection: sqlite3.Connection) -> None:
    """Add the function `vec_distance_cosine` to a connection."""
    if LOADS_EXTENSIONS:
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
    else:
        connection.create_function(
            "vec_distance_cosine", 2, compute_distance, deterministic=True
        )


async def add_distance_async(connection: aiosqlite.Connection) -> None:
    """Add the function to a connection of async code."""
    if LOADS_EXTENSIONS:
        await connection.enable_load_extension(True)
        await connection.load_extension(sqlite_vec.loadable_path())
        await connection.enable_load_extension(False)
    else:
        await connection.create_function(
            "vec_distance_cosine", 2, compute_distance, deterministic=True
        )


def compute_distance(left: bytes, right: bytes) -> float:
    """Return the cosine distance, with the same result as sqlite-vec."""
    a = np.frombuffer(left, np.float32)
    b = np.frombuffer(right, np.float32)
    if len(a) != len(b):
        raise ValueError(f"vectors of different lengths: {len(a)} and {len(b)}")
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(1 - a @ b / norms)
