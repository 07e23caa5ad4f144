"""Hybrid search, by vectors and by keywords.

Vectors find other words for the same thing. Keywords find names and rare terms.
Reciprocal rank fusion combines both rankings: a chunk scores weight / (10 + rank) in
each ranking that contains it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.sql.functions import func

from app.database import engine
from app.documents import embedder
from app.documents.models import Chunk, Document
from app.documents.queries import fetch_all
from app.documents.vectors import cosine_distance, dimensions

# PostgreSQL ignores these by itself. SQLite would rank them like rare words while there
# are few documents.
STOP_WORDS = frozenset(
    """a about an and are as at be but by can do does for from has have how i if in into
    is it its me my no not of on or should so than that the their them then there these
    they this to was we were what when where which who why will with you
    your""".split()  # noqa: SIM905  # easier to read
)
CANDIDATES = 50  # of each ranking
RANK_OFFSET = 10  # a higher one makes the first ranks less important
# A hit needs this fraction of the best score. Some vector is always the nearest, so a
# chunk that only the vectors find says little if the best one leads both rankings.
MIN_SCORE = 0.5
# The small default model knows less than the keywords do.
VECTOR_WEIGHT = 0.5
KEYWORD_WEIGHT = 1.0
MAX_KEYWORDS = 32


@dataclass(frozen=True)
class SearchHit:
    """A chunk that the search has found."""

    document_id: str
    name: str
    position: int
    text: str
    score: float


class Ranking(NamedTuple):
    """Rows of chunks, best first, and how much the ranking counts."""

    weight: float
    rows: Sequence[sa.Row[Any]]


async def search(question: str, limit: int = 5) -> list[SearchHit]:
    """Return the best chunks for a question, best first."""
    [vector] = await embedder.embed([question])
    nearest = await fetch_all(vector_query(vector))
    rankings = [Ranking(VECTOR_WEIGHT, nearest)]
    query = keyword_query(question)
    if query is not None:
        matching = await fetch_all(query)
        rankings.append(Ranking(KEYWORD_WEIGHT, matching))
    return fuse_rankings(rankings)[:limit]


def fuse_rankings(rankings: list[Ranking]) -> list[SearchHit]:
    """Combine rankings into one list of hits, best first."""
    scores: dict[int, float] = defaultdict(float)
    rows: dict[int, sa.Row[Any]] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking.rows, 1):
            rows[row.id] = row
            scores[row.id] += ranking.weight / (RANK_OFFSET + rank)
    minimum = MIN_SCORE * max(scores.values(), default=0)
    best_first = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [
        _hit(rows[chunk_id], scores[chunk_id])
        for chunk_id in best_first
        if scores[chunk_id] >= minimum
    ]


def _hit(row: sa.Row[Any], score: float) -> SearchHit:
    return SearchHit(
        document_id=row.document_id,
        name=row.name,
        position=row.position,
        text=row.text,
        score=round(score, 5),
    )


def _candidates() -> sa.Select[Any]:
    query = sa.select(
        Chunk.id, Chunk.document_id, Document.name, Chunk.position, Chunk.text
    )
    has_current_vectors = Document.embedder == embedder.embedder_name()
    is_searchable = sa.and_(Document.state == "ready", has_current_vectors)
    query = query.join(Document).where(is_searchable).limit(CANDIDATES)
    return cast("sa.Select[Any]", query)  # the types of the columns do not matter


def vector_query(vector: list[float]) -> sa.Select[Any]:
    """Return the query that ranks chunks by the distance of their vectors."""
    sent = sa.bindparam(None, vector, Chunk.vector.type)
    has_same_length = dimensions(Chunk.vector) == len(vector)
    distance = cosine_distance(Chunk.vector, sent)
    comparable = _candidates().where(has_same_length)
    return comparable.order_by(distance, Chunk.id)


def keyword_query(question: str) -> sa.Select[Any] | None:
    """Return the query that ranks chunks by the question's words, rare ones first.

    Return None if the question has only common words.
    """
    words = re.findall(r"\w+", question.lower())
    keywords = [word for word in words if word not in STOP_WORDS][:MAX_KEYWORDS]
    if not keywords:
        return None
    if engine().dialect.name == "postgresql":
        return _postgresql_keyword_query(" | ".join(keywords))
    quoted = [f'"{word}"' for word in keywords]
    return _sqlite_keyword_query(" OR ".join(quoted))


def _sqlite_keyword_query(expression: str) -> sa.Select[Any]:
    rowid: sa.ColumnClause[int] = sa.column("rowid")
    rank: sa.ColumnClause[float] = sa.column("rank")
    index = sa.table("chunks_fts", rowid, rank)
    is_match = sa.literal_column("chunks_fts").op("MATCH")
    query = _candidates().join(index, rowid == Chunk.id)
    matching = query.where(is_match(expression))
    return matching.order_by(rank, Chunk.id)


def _postgresql_keyword_query(expression: str) -> sa.Select[Any]:
    english: sa.ColumnElement[Any] = sa.literal_column("'english'")
    document = func.to_tsvector(english, Chunk.text)
    query = func.to_tsquery(english, expression)
    rank = func.ts_rank_cd(document, query, 1)  # 1: long chunks get no advantage
    is_match = document.op("@@")
    matching = _candidates().where(is_match(query))
    return matching.order_by(rank.desc(), Chunk.id)
