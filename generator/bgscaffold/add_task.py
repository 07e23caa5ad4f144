"""Adding a task to a project: the function, its test and, if wanted, its route."""

import os
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.errors import BadTaskName, CannotEdit, FileTaken, NameTaken, NoSchedule
from bgscaffold.existing import Existing
from bgscaffold.insertion import Import, Source, appended, imported, load
from bgscaffold.reading import argument, decorators, modules, text_of
from bgscaffold.repository import refuse_conflicts
from bgscaffold.routers import prefix, refuse_route, with_answer
from bgscaffold.task_code import (
    NewTask,
    route_function,
    router_start,
    task_function,
    task_test,
    tasks_start,
)
from bgscaffold.task_name import TaskName
from bgscaffold.turns import alone_in
from bgscaffold.writing import write_all


@dataclass(frozen=True)
class Added:
    """A task that now exists, and the files that were written for it."""

    project: Existing
    task: NewTask
    url: str  # of its route; '' without one
    files: dict[Path, str]  # each "new" or "changed"

    @property
    def tasks_file(self) -> Path:
        """Return the file that the function stands in."""
        return self.project.root / "app" / self.task.name.domain / "tasks.py"


def add(project: Existing, new: NewTask, *, route: bool) -> Added:
    """Write the task, its test and its route, or refuse and change nothing."""
    with alone_in(project.root):
        refuse_conflicts(project.root)
        refuse_what_cannot_be(project, new)
        sources, url = [with_task(project, new)], ""
        if route:
            router, url = with_route(project, new)
            sources.append(router)
        contents = packages(project, new) | {source.path: source.content for source in sources}
        contents[test_file(project, new)] = task_test(new, url).encode()
        files = {path: "changed" if path.exists() else "new" for path in contents}
        stored = {source.path: source.stored for source in sources if source.stored is not None}
        write_all(resolved(contents), resolved(stored))
    return Added(project, new, url, files)


def resolved(files: dict[Path, bytes]) -> dict[Path, bytes]:
    """Return the files that links lead to, so that the links stay."""
    return {path.resolve(): content for path, content in files.items()}


def refuse_what_cannot_be(project: Existing, new: NewTask) -> None:
    """Refuse a name that clashes with what the project has, and a schedule that it cannot keep."""
    root, domain = project.root, new.name.domain
    for folder in ("app", "tests"):
        if (root / folder / f"{domain}.py").exists():
            raise BadTaskName(str(new.name), f"{folder}/{domain}.py is a module already")
        if not is_inside(root / folder / domain, root):
            raise BadTaskName(str(new.name), f"{folder}/{domain} is a link out of the project")
    if new.cron and "cron" not in project.supports:
        raise NoSchedule(new.cron, "it has no schedules")
    for file, tree in modules(root, "app/**/*.py"):
        for call in decorators(tree):
            if text_of(argument(call, "name"), tree) == str(new.name):
                raise NameTaken(str(new.name), f"{file}, line {call.lineno}")


def is_inside(path: Path, root: Path) -> bool:
    """Tell whether a path, wherever links lead it, lies in the project."""
    return Path(os.path.realpath(path)).is_relative_to(root.resolve())


def with_task(project: Existing, new: NewTask) -> Source:
    """Return the domain's tasks.py with the task at its end."""
    source = opened(project, new.name, "tasks.py", tasks_start(new.name.domain))
    source.refuse_taken(new.name.function)
    source, logging = imported(source, Import("logging"))
    source, decorator = imported(source, Import("app.background", "task"))
    return appended(source, task_function(new, decorator, logging, project.line_length))


def with_route(project: Existing, new: NewTask) -> tuple[Source, str]:
    """Return the domain's router.py with the route at its end, and the URL of the route."""
    source = opened(project, new.name, "router.py", router_start(new.name.domain))
    before = prefix(source)
    path = new.path if before else f"/{new.name.domain.replace('_', '-')}{new.path}"
    refuse_route(project, before + path)
    source.refuse_taken(f"enqueue_{new.name.function}")
    names = {}
    for needed in (Import("app.background", "BackgroundTasksDep"), wanted_function(new)):
        source, names[needed.member] = imported(source, needed)
    source, names["Accepted"] = with_answer(source, project)
    code = route_function(new, path, names, project.line_length)
    return appended(source, code), (before + path).replace("{item_id}", "7")


def wanted_function(new: NewTask) -> Import:
    """Return the import of the task."""
    return Import(new.name.module, new.name.function)


def packages(project: Existing, new: NewTask) -> dict[Path, bytes]:
    """Return the files that make packages of the domain's folders, where they are missing."""
    files = [project.root / top / new.name.domain / "__init__.py" for top in ("app", "tests")]
    missing = [file for file in files if not file.exists()]
    for file in missing:
        refuse_outside(file, project)
    return dict.fromkeys(missing, b"")


def refuse_outside(file: Path, project: Existing) -> None:
    """Refuse a file that links lead out of the project."""
    if not is_inside(file, project.root):
        raise CannotEdit(str(file), "it is a link out of the project")


def test_file(project: Existing, new: NewTask) -> Path:
    """Return where the test goes, or refuse to overwrite what is there."""
    file = project.root / "tests" / new.name.domain / f"test_{new.name.function}.py"
    if os.path.lexists(file):
        raise FileTaken(str(file))
    return file


def opened(project: Existing, name: TaskName, file: str, start: str) -> Source:
    """Read a file of the domain."""
    path = project.root / "app" / name.domain / file
    refuse_outside(path, project)
    own = frozenset(entry.name.removesuffix(".py") for entry in project.root.iterdir())
    return load(path, f"app.{name.domain}", own, project.line_length, start)
