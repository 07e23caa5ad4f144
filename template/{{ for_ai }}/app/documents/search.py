"""Search by meaning and by words: what is high in both lists comes first.

Vectors find what is put in other words, the index of words finds names and rare terms. Reciprocal
rank fusion joins the two: a chunk gets weight / (10 + rank) from each list that it is in.
"""

import re
from dataclasses import dataclass
from typing import Any

import anyio
import sqlalchemy as sa
from sqlalchemy.sql.functions import func

from app import database
from app.documents import embedder
from app.documents.models import Chunk, Document
from app.documents.vectors import cosine_distance, dimensions

# PostgreSQL knows them by itself. In few documents they would seem to be rare words, which count.
COMMON = frozenset(
    """a about an and are as at be but by can do does for from has have how i if in into is it its me
    my no not of on or should so than that the their them then there these they this to was we were
    what when where which who why will with you your""".split()  # noqa: SIM905  # words, to be read
)
CANDIDATES = 50  # of each list
FLATTENING = 10  # the more, the less the first places of a list stand out
# Of the best one's score a chunk needs this part. Something is nearest to every question: where one
# leads both lists, what is only near says nothing about it.
LEAST = 0.5
MEANING, WORDS = 0.5, 1.0  # weights: the small model of wordllama knows less than the words do


@dataclass(frozen=True)
class Found:
    """A chunk that answers a question, best first."""

    document_id: str
    name: str
    position: int
    text: str
    score: float


async def search(question: str, limit: int = 5) -> list[Found]:
    """Return the chunks that fit a question best."""
    [vector] = await embedder.embed([question])
    near = await rows(_nearest(vector))
    named = await rows(found) if (found := _worded(question)) is not None else []
    return _fused((MEANING, near), (WORDS, named))[:limit]


async def rows(statement: sa.Executable) -> list[sa.Row[Any]]:
    """Return what a statement finds. Whoever asked may leave meanwhile: then it ends all the same.

    One that is cut off would leave its connection to be closed by nobody.
    """
    with anyio.CancelScope(shield=True):
        found = await database.execute_async(statement)
    return found


def _fused(*lists: tuple[float, list[sa.Row[Any]]]) -> list[Found]:
    scores: dict[int, float] = {}
    chunks: dict[int, sa.Row[Any]] = {}
    for weight, found in lists:
        for rank, row in enumerate(found, 1):
            chunks[row.id] = row
            scores[row.id] = scores.get(row.id, 0) + weight / (FLATTENING + rank)
    best = sorted(chunks, key=lambda chunk: (-scores[chunk], chunk))
    least = LEAST * max(scores.values(), default=0)
    return [_found(chunks[chunk], scores[chunk]) for chunk in best if scores[chunk] >= least]


def _found(row: sa.Row[Any], score: float) -> Found:
    return Found(row.document_id, row.name, row.position, row.text, round(score, 5))


def _chunks() -> sa.Select[Any]:
    columns: tuple[Any, ...] = (
        Chunk.id,
        Chunk.document_id,
        Document.name,
        Chunk.position,
        Chunk.text,
    )
    ready = (Document.state == "ready", Document.embedder == embedder.name())
    return sa.select(*columns).join(Document).where(*ready).limit(CANDIDATES)


def _nearest(vector: list[float]) -> sa.Select[Any]:
    sent = sa.bindparam(None, vector, Chunk.vector.type)
    comparable = dimensions(Chunk.vector) == len(vector)
    return _chunks().where(comparable).order_by(cosine_distance(Chunk.vector, sent), Chunk.id)


def _worded(question: str) -> sa.Select[Any] | None:
    """Select the chunks with any of the question's words, the rarest words counting most."""
    words = [word for word in re.findall(r"\w+", question.lower()) if word not in COMMON][:32]
    if not words:
        return None
    if database.engine().dialect.name == "postgresql":
        return _worded_postgresql(" | ".join(words))
    return _worded_sqlite(" OR ".join(f'"{word}"' for word in words))


def _worded_sqlite(words: str) -> sa.Select[Any]:
    index = sa.table("chunks_fts", sa.column("rowid"), sa.column("rank"))
    matches = sa.literal_column("chunks_fts").op("MATCH")(words)
    found = _chunks().join(index, index.c.rowid == Chunk.id)
    return found.where(matches).order_by(index.c.rank, Chunk.id)


def _worded_postgresql(words: str) -> sa.Select[Any]:
    english: sa.ColumnElement[Any] = sa.literal_column("'english'")
    index = func.to_tsvector(english, Chunk.text)
    query = func.to_tsquery(english, words)
    rank = func.ts_rank_cd(index, query, 1)  # 1: long chunks do not win by their length alone
    return _chunks().where(index.op("@@")(query)).order_by(rank.desc(), Chunk.id)
