"""Adding a task to a project: its function, its tests and, if wanted, its route."""

from dataclasses import dataclass
from pathlib import Path

from bgscaffold.add_task.code import EXAMPLE_ID, NewTask, router_module
from bgscaffold.add_task.errors import NameTakenError, SchedulesMissingError
from bgscaffold.add_task.files import (
    Domain,
    PlannedFile,
    free_router_file,
    new_file,
    plan_packages,
    plan_tasks,
    plan_test,
    require_inside_project,
)
from bgscaffold.add_task.route import domain_prefix, require_free_path
from bgscaffold.analysis.syntax import (
    argument,
    decorator_calls,
    parse_file,
    string_value,
)
from bgscaffold.features import Feature
from bgscaffold.project.project import Project
from bgscaffold.system.atomic_files import write_atomically
from bgscaffold.system.locks import folder_lock


@dataclass(frozen=True)
class AddedTask:
    """A task that was added, and the files that were written."""

    project: Project
    task: NewTask
    tasks_file: Path
    url: str  # of an example of a request; '' without a route
    files: list[PlannedFile]


def add_task(project: Project, new: NewTask, *, route: bool) -> AddedTask:
    """Write all files of a new task, or none."""
    with folder_lock(project.root):
        domain = Domain(project, new.name.domain)
        validate_new_task(domain, new)
        added = plan_task(domain, new, route=route)
        require_inside_project(domain, added.files)
        write(added.files)
    return added


def validate_new_task(domain: Domain, new: NewTask) -> None:
    """Refuse a name that the project uses, and a schedule that it cannot run."""
    domain.require_not_a_module()
    if new.cron and Feature.SCHEDULE not in domain.project.features:
        raise SchedulesMissingError(new.cron)
    for file in sorted(domain.package.rglob("*.py")):
        tree = parse_file(file)
        for call in decorator_calls(tree):
            if string_value(argument(call, "name"), tree) == str(new.name):
                raise NameTakenError(str(new.name), f"{file}, line {call.lineno}")


def plan_task(domain: Domain, new: NewTask, *, route: bool) -> AddedTask:
    """Return the files of a new task, before they are written."""
    tasks = plan_tasks(domain, new)
    files, url = [tasks], ""
    if route:
        file = free_router_file(domain, new)
        prefix = domain_prefix(domain)
        path = prefix + new.path
        require_free_path(domain, path)
        code = router_module(new, prefix, domain.context(tasks.path))
        files.append(new_file(file, code))
        url = path.replace("{item_id}", str(EXAMPLE_ID))
    files.append(plan_test(domain, new, url, tasks.path))
    return AddedTask(
        project=domain.project,
        task=new,
        tasks_file=tasks.path,
        url=url,
        files=[*plan_packages(domain, files), *files],
    )


def write(files: list[PlannedFile]) -> None:
    """Write files. A symbolic link stays one: the file that it leads to is written."""
    contents = {file.path.resolve(): file.content for file in files}
    originals = {
        file.path.resolve(): file.original
        for file in files
        if file.original is not None
    }
    write_atomically(contents, originals)
