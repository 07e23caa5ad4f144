"""Adding a task to a project: the function, its test and, if wanted, its route."""

import os
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.add_task.code import (
    NewTask,
    new_router_module,
    new_tasks_module,
    route_function,
    task_function,
    task_test,
)
from bgscaffold.add_task.errors import (
    NameTakenError,
    SchedulesMissingError,
    TaskNameError,
    TestFileExistsError,
    UneditableFileError,
)
from bgscaffold.add_task.router_editor import (
    ensure_response_model,
    require_free_route,
    router_prefix,
)
from bgscaffold.add_task.source_editor import (
    Import,
    Source,
    add_import,
    append_code,
    load_source,
)
from bgscaffold.add_task.task_name import TaskName
from bgscaffold.analysis.syntax import (
    argument,
    decorator_calls,
    parse_modules,
    string_value,
)
from bgscaffold.features import Feature
from bgscaffold.git.repository import require_no_open_conflicts
from bgscaffold.project.project import Project
from bgscaffold.system.atomic_files import write_atomically
from bgscaffold.system.locks import folder_lock


@dataclass(frozen=True)
class NewTaskFiles:
    """A task that now exists, and the files that were written for it."""

    project: Project
    task: NewTask
    url: str  # of its route; '' without one
    files: dict[Path, str]  # each "new" or "changed"

    @property
    def tasks_file(self) -> Path:
        """Return the file that the function stands in."""
        return self.project.root / "app" / self.task.name.domain / "tasks.py"


def add_task(project: Project, new: NewTask, *, route: bool) -> NewTaskFiles:
    """Write the task, its test and its route, or refuse and change nothing."""
    with folder_lock(project.root):
        require_no_open_conflicts(project.root)
        validate_new_task(project, new)
        sources, url = [edit_tasks(project, new)], ""
        if route:
            router, url = edit_router(project, new)
            sources.append(router)
        contents = missing_packages(project, new) | {
            source.path: source.content for source in sources
        }
        contents[test_file(project, new)] = task_test(new, url).encode()
        files = {path: "changed" if path.exists() else "new" for path in contents}
        stored = {
            source.path: source.stored
            for source in sources
            if source.stored is not None
        }
        write_atomically(resolve_links(contents), resolve_links(stored))
    return NewTaskFiles(project, new, url, files)


def resolve_links(files: dict[Path, bytes]) -> dict[Path, bytes]:
    """Return the files that links lead to, so that the links stay."""
    return {path.resolve(): content for path, content in files.items()}


def validate_new_task(project: Project, new: NewTask) -> None:
    """Refuse a name that clashes with what the project has, and a schedule that it cannot keep."""
    root, domain = project.root, new.name.domain
    for folder in ("app", "tests"):
        if (root / folder / f"{domain}.py").exists():
            raise TaskNameError(
                str(new.name), f"{folder}/{domain}.py is a module already"
            )
        if not is_inside(root / folder / domain, root):
            raise TaskNameError(
                str(new.name), f"{folder}/{domain} is a link out of the project"
            )
    if new.cron and Feature.SCHEDULE not in project.features:
        raise SchedulesMissingError(new.cron, "it has no schedules")
    for file, tree in parse_modules(root, "app/**/*.py"):
        for call in decorator_calls(tree):
            if string_value(argument(call, "name"), tree) == str(new.name):
                raise NameTakenError(str(new.name), f"{file}, line {call.lineno}")


def is_inside(path: Path, root: Path) -> bool:
    """Tell whether a path, wherever links lead it, lies in the project."""
    return Path(os.path.realpath(path)).is_relative_to(root.resolve())


def edit_tasks(project: Project, new: NewTask) -> Source:
    """Return the domain's tasks.py with the task at its end."""
    source = load_domain_file(
        project, new.name, "tasks.py", new_tasks_module(new.name.domain)
    )
    source.refuse_taken(new.name.function)
    source, logging = add_import(source, Import("logging"))
    source, decorator = add_import(source, Import("app.background", "task"))
    return append_code(
        source, task_function(new, decorator, logging, project.line_length)
    )


def edit_router(project: Project, new: NewTask) -> tuple[Source, str]:
    """Return the domain's router.py with the route at its end, and the URL of the route."""
    source = load_domain_file(
        project, new.name, "router.py", new_router_module(new.name.domain)
    )
    before = router_prefix(source)
    path = new.path if before else f"/{new.name.domain.replace('_', '-')}{new.path}"
    require_free_route(project, before + path)
    source.refuse_taken(f"enqueue_{new.name.function}")
    names = {}
    for needed in (
        Import("app.background", "BackgroundTasksDep"),
        wanted_function(new),
    ):
        source, names[needed.member] = add_import(source, needed)
    source, names["Accepted"] = ensure_response_model(source, project)
    code = route_function(new, path, names, project.line_length)
    return append_code(source, code), (before + path).replace("{item_id}", "7")


def wanted_function(new: NewTask) -> Import:
    """Return the import of the task."""
    return Import(new.name.module, new.name.function)


def missing_packages(project: Project, new: NewTask) -> dict[Path, bytes]:
    """Return the files that make packages of the domain's folders, where they are missing."""
    files = [
        project.root / top / new.name.domain / "__init__.py" for top in ("app", "tests")
    ]
    missing = [file for file in files if not file.exists()]
    for file in missing:
        require_inside_project(file, project)
    return dict.fromkeys(missing, b"")


def require_inside_project(file: Path, project: Project) -> None:
    """Refuse a file that links lead out of the project."""
    if not is_inside(file, project.root):
        raise UneditableFileError(str(file), "it is a link out of the project")


def test_file(project: Project, new: NewTask) -> Path:
    """Return where the test goes, or refuse to overwrite what is there."""
    file = project.root / "tests" / new.name.domain / f"test_{new.name.function}.py"
    if os.path.lexists(file):
        raise TestFileExistsError(str(file))
    return file


def load_domain_file(project: Project, name: TaskName, file: str, start: str) -> Source:
    """Read a file of the domain."""
    path = project.root / "app" / name.domain / file
    require_inside_project(path, project)
    own = frozenset(entry.name.removesuffix(".py") for entry in project.root.iterdir())
    return load_source(path, f"app.{name.domain}", own, project.line_length, start)
