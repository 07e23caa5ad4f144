"""A page for the browser."""

from fastapi import APIRouter

router = APIRouter()


@router.get("/")
def page() -> str:
    """Return the page."""
    return "<h1>Documents</h1>"
