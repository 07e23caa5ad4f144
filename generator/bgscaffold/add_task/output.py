"""What bgscaffold says when it has added a task."""

import json
import shlex
from pathlib import Path

from bgscaffold.add_task.command import NewTaskFiles
from bgscaffold.patterns import RECORDS
from bgscaffold.project.project import Project
from bgscaffold.system.console import relative_to_cwd


def new_task_text(done: NewTaskFiles) -> str:
    """Say what was added, where, and what comes next."""
    project = done.project
    return "\n".join(
        [
            f"Added the task {done.task.name} to {project.root}, pattern {project.pattern}.",
            *table(
                [
                    (project_path(project, file), state)
                    for file, state in done.files.items()
                ]
            ),
            "",
            "Next:",
            *table(next_steps(done)),
            "",
            f"Its work goes into {done.task.name.function}() in {project_path(project, done.tasks_file)}.",
            *([] if done.url or done.task.cron else [how_to_enqueue(done)]),
        ]
    )


def how_to_enqueue(done: NewTaskFiles) -> str:
    """Say how a route, which was not asked for, would enqueue the task."""
    return f"Enqueue it in a route: background_tasks.add_task({done.task.name.function}, 7)"


def next_steps(done: NewTaskFiles) -> list[tuple[str, str]]:
    """Return the commands to try the task with, each with what it does."""
    there = done.project.root
    curl = (
        [(f"curl -X POST localhost:8000{done.url}", "enqueue it")] if done.url else []
    )
    return [
        *(
            []
            if there == Path.cwd()
            else [(f"cd {shlex.quote(relative_to_cwd(there))}", "")]
        ),
        ("uv run poe dev", RECORDS[done.project.pattern].dev),
        *curl,
        (f"uv run pytest tests/{done.task.name.domain}", "run the domain's tests"),
    ]


def table(rows: list[tuple[str, str]]) -> list[str]:
    """Return lines of two columns."""
    wide = max(len(left) for left, _right in rows) + 2
    return [f"  {left:<{wide}}{right}".rstrip() for left, right in rows]


def project_path(project: Project, file: Path) -> str:
    """Return the path of a file within the project."""
    return file.relative_to(project.root).as_posix()


def new_task_json(done: NewTaskFiles) -> str:
    """Return all of it as one JSON object."""
    facts = {
        "task": str(done.task.name),
        "path": str(done.project.root),
        "pattern": done.project.pattern.value,
        "files": {
            project_path(done.project, file): state
            for file, state in done.files.items()
        },
        "route": f"POST {done.url}" if done.url else None,
        "next_steps": [command for command, _purpose in next_steps(done)],
    }
    return json.dumps(facts, indent=2)
