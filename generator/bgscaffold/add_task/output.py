"""What `bgscaffold add task` prints."""

import json
import shlex
from pathlib import Path

from bgscaffold.add_task.code import EXAMPLE_ID
from bgscaffold.add_task.command import AddedTask
from bgscaffold.patterns import RECORDS
from bgscaffold.system.console import relative_to_cwd


def new_task_text(added: AddedTask) -> str:
    """Return the files that were written and the next steps."""
    project, name = added.project, added.task.name
    tasks_file = path_in_project(added, added.tasks_file)
    lines = [f"Added task {name} to {project.root} (pattern {project.pattern})."]
    lines += two_columns(list(file_states(added).items()))
    lines += ["", "Next:"]
    lines += two_columns(next_steps(added))
    lines.append("")
    lines.append(f"Write the work of the task in {name.function}() in {tasks_file}.")
    if not added.url and not added.task.cron:
        call = f"background_tasks.add_task({name.function}, {EXAMPLE_ID})"
        lines.append(f"To enqueue it, call {call} in a route.")
    return "\n".join(lines)


def next_steps(added: AddedTask) -> list[tuple[str, str]]:
    """Return the commands that try the task, each with its purpose."""
    root = added.project.root
    steps = []
    if root != Path.cwd():
        folder = shlex.quote(relative_to_cwd(root))
        steps.append((f"cd {folder}", ""))
    steps.append(("uv run poe dev", RECORDS[added.project.pattern].dev))
    if added.url:
        request = f"curl -X POST localhost:8000{added.url}"
        steps.append((request, "enqueue the task"))
    tests = f"uv run pytest tests/{added.task.name.domain}"
    steps.append((tests, "run the tests of the domain"))
    return steps


def two_columns(rows: list[tuple[str, str]]) -> list[str]:
    """Return indented lines of two columns."""
    width = max(len(left) for left, _ in rows) + 2
    return [f"  {left:<{width}}{right}".rstrip() for left, right in rows]


def file_states(added: AddedTask) -> dict[str, str]:
    """Return the files by their paths in the project, each "new" or "changed"."""
    return {path_in_project(added, file.path): file.state for file in added.files}


def path_in_project(added: AddedTask, file: Path) -> str:
    """Return the path of a file in the project."""
    return file.relative_to(added.project.root).as_posix()


def new_task_json(added: AddedTask) -> str:
    """Return the same as one JSON object."""
    content = {
        "task": str(added.task.name),
        "path": str(added.project.root),
        "pattern": added.project.pattern.value,
        "files": file_states(added),
        "route": f"POST {added.url}" if added.url else None,
        "next_steps": [command for command, _ in next_steps(added)],
    }
    return json.dumps(content, indent=2)
