"""Routes of the domain signup."""

from fastapi import APIRouter

router = APIRouter(prefix="/signup", tags=["signup"])
