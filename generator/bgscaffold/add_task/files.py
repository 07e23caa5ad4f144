"""The files of a new task: which are new, which are changed, and what they contain."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from bgscaffold.add_task.code import (
    CodeContext,
    NewTask,
    task_function,
    tasks_module,
    test_module,
)
from bgscaffold.add_task.errors import (
    FileAlreadyExistsError,
    NameTakenError,
    TaskNameError,
    UneditableFileError,
)
from bgscaffold.add_task.source_file import (
    append_code,
    insert_import,
    read_source,
    task_decorator,
)
from bgscaffold.project.project import Project


@dataclass(frozen=True)
class PlannedFile:
    """A file to write; `original` is what it contains now, if it exists."""

    path: Path
    content: bytes
    original: bytes | None = None

    @property
    def state(self) -> str:
        """Return what the output says of the file."""
        return "new" if self.original is None else "changed"


@dataclass(frozen=True)
class Domain:
    """A domain package of a project, which may not exist yet."""

    project: Project
    name: str

    @property
    def package(self) -> Path:
        """Return the application's package."""
        return self.project.packages[0]

    @property
    def folder(self) -> Path:
        """Return the folder of its code."""
        return self.package / self.name

    @property
    def tests(self) -> Path:
        """Return the folder of its tests."""
        return self.project.root / "tests" / self.name

    def require_not_a_module(self) -> None:
        """Refuse the name of a module beside the domains."""
        for folder in (self.folder, self.tests):
            module = folder.with_suffix(".py")
            if module.exists():
                path = module.relative_to(self.project.root).as_posix()
                raise TaskNameError(self.name, f"{path} is a module")

    def context(self, tasks_file: Path) -> CodeContext:
        """Return what code depends on that imports from this file."""
        module = tasks_file.relative_to(self.package.parent).with_suffix("")
        return CodeContext(
            package=self.package.name,
            tasks_module=".".join(module.parts),
            line_length=self.project.line_length,
        )


def plan_tasks(domain: Domain, new: NewTask) -> PlannedFile:
    """Return the file with the task: a new one, or tasks.py with another function."""
    file, folder = domain.folder / "tasks.py", domain.folder / "tasks"
    if folder.is_dir():
        if os.path.lexists(file):
            reason = "the folder tasks/ hides it; move its tasks into the folder"
            raise UneditableFileError(str(file), reason)
        module = folder / f"{new.name.function}.py"
        code = tasks_module(new, f"Task `{new.name}`.", domain.context(module))
        return new_file(module, code)
    if os.path.lexists(file):
        return plan_appended_task(domain, new, file)
    return new_tasks_file(domain, new, file)


def plan_appended_task(domain: Domain, new: NewTask, file: Path) -> PlannedFile:
    """Return tasks.py with another function at its end.

    The function gets no file of its own, because a folder tasks/ would hide tasks.py.
    """
    source = read_source(file)
    if not source.text.strip():
        return replace(new_tasks_file(domain, new, file), original=source.stored)
    if source.is_taken(new.name.function):
        raise NameTakenError(new.name.function, f"{file} uses it")
    decorator = task_decorator(source)
    text = source.text if decorator else insert_import(source, domain.package.name)
    code = task_function(new, decorator or "task", domain.context(file))
    text = append_code(text, code, source.newline)
    return PlannedFile(
        path=file,
        content=text.encode(source.encoding),
        original=source.stored,
    )


def new_tasks_file(domain: Domain, new: NewTask, file: Path) -> PlannedFile:
    """Return a tasks.py with one task."""
    title = f"Tasks of the domain `{domain.name}`."
    code = tasks_module(new, title, domain.context(file))
    return PlannedFile(
        path=file,
        content=code.encode(),
    )


def free_router_file(domain: Domain, new: NewTask) -> Path:
    """Return the file for a new router, which must not exist yet."""
    file, folder = domain.folder / "router.py", domain.folder / "routers"
    if os.path.lexists(file) or folder.is_dir():
        file = folder / f"{new.name.function}.py"
    require_missing(file)
    return file


def plan_test(domain: Domain, new: NewTask, url: str, tasks_file: Path) -> PlannedFile:
    """Return the file with the tests."""
    file = domain.tests / f"test_{new.name.function}.py"
    return new_file(file, test_module(new, url, domain.context(tasks_file)))


def plan_packages(domain: Domain, planned: list[PlannedFile]) -> list[PlannedFile]:
    """Return the `__init__.py` that the folders of the planned files lack."""
    tops = (domain.package, domain.project.root / "tests")
    folders = {
        folder
        for file in planned
        for folder in file.path.parents
        if any(folder.is_relative_to(top) and folder != top for top in tops)
    }
    inits = [folder / "__init__.py" for folder in sorted(folders)]
    return [new_file(init, "") for init in inits if not init.exists()]


def new_file(path: Path, code: str) -> PlannedFile:
    """Return a file that must not exist yet."""
    require_missing(path)
    return PlannedFile(
        path=path,
        content=code.encode(),
    )


def require_missing(path: Path) -> None:
    """Refuse to replace a file, or a link to nothing."""
    if os.path.lexists(path):
        raise FileAlreadyExistsError(str(path))


def require_inside_project(domain: Domain, planned: list[PlannedFile]) -> None:
    """Refuse files that symbolic links lead out of the project."""
    root = domain.project.root.resolve()
    for file in planned:
        if not Path(os.path.realpath(file.path)).is_relative_to(root):
            raise UneditableFileError(str(file.path), "it is outside the project")
