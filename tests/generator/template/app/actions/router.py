"""Routes of the domain actions."""

from fastapi import APIRouter

router = APIRouter(prefix="/actions", tags=["actions"])
