"""Upload and search."""

from fastapi import APIRouter

router = APIRouter(prefix="/documents")


@router.get("/search")
def search(query: str) -> list[str]:
    """Return the passages that fit a query."""
    return [query]
