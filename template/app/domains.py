"""Domains: every folder of `app/` that holds a `router.py` or a `tasks.py`.

The API imports both, a worker only the tasks. Nothing is listed by hand, so nothing is left out. An
error in one of these modules stops the start: a task that is quietly missing would be worse.
"""

import importlib
from pathlib import Path

from fastapi import APIRouter

APP = Path(__file__).parent
NOT_DOMAINS = {"background", "migrations"}


def import_tasks() -> None:
    """Import every `app/<domain>/tasks.py`, so that its tasks are registered."""
    for file in _files("tasks.py"):
        importlib.import_module(_module(file))


def import_routers() -> list[APIRouter]:
    """Import every `app/<domain>/router.py` and return the routers, in the order of their names.

    The tasks are imported too: those that no router knows may wait in the outbox all the same.

    Raises:
        TypeError: A module has no `router`.
    """
    import_tasks()
    routers = []
    for file in _files("router.py"):
        router = getattr(importlib.import_module(_module(file)), "router", None)
        if not isinstance(router, APIRouter):
            raise TypeError(f"{file} must define router = APIRouter(), found {router!r}.")
        routers.append(router)
    return routers


def _files(name: str) -> list[Path]:
    return sorted(f for f in APP.glob(f"*/{name}") if f.parent.name not in NOT_DOMAINS)


def _module(file: Path) -> str:
    return f"{APP.name}.{file.parent.name}.{file.stem}"
