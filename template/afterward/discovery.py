"""Discovery of domain packages: their tasks and their routes.

A domain package is a folder of the application's package with `tasks.py`, `tasks/*.py`,
`router.py` or `routers/*.py`. Nothing is listed by hand, so nothing is left out. An error
in one of these modules stops the start: a missing task is worse.
"""

import importlib
from pathlib import Path

from fastapi import APIRouter

from afterward.errors import StartupError

NOT_DOMAINS = frozenset({"migrations"})


class Domains:
    """The domain packages of an application."""

    def __init__(self, package: str) -> None:
        self._package = package

    def import_tasks(self) -> None:
        """Import every module with tasks, so that the tasks are registered.

        Raises:
            StartupError: A domain has both `tasks.py` and `tasks/`.
        """
        for file in self._files("tasks.py", "tasks/*.py"):
            importlib.import_module(self._module(file))

    def import_routers(self) -> list[APIRouter]:
        """Import every module with routes, and return the routers in alphabetical order.

        The tasks are imported too: one that no route uses may wait in the outbox.

        Raises:
            TypeError: A module has no `router`.
        """
        self.import_tasks()
        return [self._router(file) for file in self._files("router.py", "routers/*.py")]

    def _router(self, file: Path) -> APIRouter:
        router = getattr(importlib.import_module(self._module(file)), "router", None)
        if not isinstance(router, APIRouter):
            raise TypeError(
                f"{file} must define router = APIRouter(), found {router!r}."
            )
        return router

    def _files(self, module: str, modules: str) -> list[Path]:
        files = [*self._folder.glob(f"*/{module}"), *self._folder.glob(f"*/{modules}")]
        for file in files:
            # Python imports the folder, and ignores the file without a word.
            if file.name == module and file.with_suffix("").is_dir():
                raise StartupError(
                    f"{file} is hidden by the folder {file.with_suffix('')}."
                    " Move its content into the folder."
                )
        return sorted(file for file in files if self._is_in_domain(file))

    def _is_in_domain(self, file: Path) -> bool:
        domain = file.relative_to(self._folder).parts[0]
        return domain not in NOT_DOMAINS and not file.name.startswith("__")

    def _module(self, file: Path) -> str:
        parts = file.relative_to(self._folder).with_suffix("").parts
        return ".".join((self._package, *parts))

    @property
    def _folder(self) -> Path:
        return Path(importlib.import_module(self._package).__path__[0])
