"""`bgscaffold patterns` and the records behind it."""

import ast
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from bgscaffold.analysis.task_options import OPTIONS
from bgscaffold.patterns import RECORDS, Pattern, Promises
from tests import helpers
from tests.generator.conftest import Outcome, Run

TABLE = """\
simple  FastAPI's BackgroundTasks: one after another, in the web process
async   concurrent and bounded, on the event loop of the web process
safe    kept in the database, run by the web process, resumed after a crash
celery  kept in the database, run by Celery workers on many machines

                                   simple           async            safe             celery
tasks run in                       web process      event loop       web process      workers
a failing task stops only itself   yes              yes              yes              yes
a wrong argument fails the request yes              yes              yes              yes
failures are recorded in           log, metrics     log, metrics     and database     and database
timeout                            async tasks only async tasks only async tasks only all tasks
on SIGTERM, in the grace period    finishes         finishes         finishes         finishes
not finished in the grace period   lost             lost             runs again       runs again
on kill -9 or power loss           lost             lost             resumed          resumed
while the broker is down           -                -                -                accepted
retries with backoff, then dead    no               no               yes              yes
idempotency key, delay, priority   no               no               yes              yes
GET /tasks/{id}: state, progress   no               no               yes              yes
list, cancel, retry dead tasks     no               no               yes              yes
separate queues                    no               no               no               yes
health, metrics, JSON logs         yes              yes              yes              yes
enqueued in your transaction       -                -                yes              yes
servers in development             none             none             none             none
servers in production              none             none             none             broker, db
many machines                      no               no               no               yes

Delivery is at least once: after a crash a task may run twice, so make it idempotent.
"""


def test_the_table(run: Run) -> None:
    assert run("patterns") == Outcome(0, TABLE, "")


def test_it_fits_on_a_terminal() -> None:
    assert max(map(len, TABLE.splitlines())) <= 100
    assert len(TABLE.splitlines()) <= 40


# A row of the command, and the row of docs/patterns.md that says the same at length.
SAME = {
    "a failing task stops only itself": "a failing task does not stop the next one",
    "a wrong argument fails the request": "a wrong argument fails the request, not the task",
    "on SIGTERM, in the grace period": "on SIGTERM",
    "not finished in the grace period": "not finished within the grace period",
    "on kill -9 or power loss": "on `kill -9` or power loss",
    "retries with backoff, then dead": (
        "retries with backoff and jitter, then `dead`; `dead` at once for a permanent"
        " error"
    ),
    "idempotency key, delay, priority": "idempotency key, delay, priority",
    "GET /tasks/{id}: state, progress": "`GET /tasks/{id}`: state, progress, events",
    "list, cancel, retry dead tasks": "list, cancel, retry a dead run, with `ADMIN_TOKEN`",
    "separate queues": "separate queues",
    "health, metrics, JSON logs": (
        "`/health/live`, `/health/ready`, `/metrics`, JSON logs"
    ),
    "enqueued in your transaction": "enqueued in the caller's own transaction",
    "many machines": "many machines",
}


@pytest.mark.parametrize(("promise", "title"), SAME.items())
def test_the_page_of_the_patterns_says_the_same(promise: str, title: str) -> None:
    page = (helpers.ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    at_length = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    name = next(f.name for f in fields(Promises) if f.metadata["title"] == promise)
    in_short = [getattr(each.promises, name) for each in RECORDS.values()]
    assert [
        long.startswith(short) for long, short in zip(at_length, in_short, strict=True)
    ] == ([True] * 4)


def test_each_pattern_has_one_record() -> None:
    assert tuple(RECORDS) == tuple(Pattern)


def test_copier_offers_the_same_patterns() -> None:
    assert tuple(Pattern) == helpers.PATTERNS
    assert tuple(helpers.questions()["pattern"]["choices"].values()) == tuple(Pattern)


def test_version(run: Run) -> None:
    assert run("--version") == Outcome(0, "bgscaffold 0.1.0\n", "")
    assert run("--version", "new") == Outcome(0, "bgscaffold 0.1.0\n", "")


def test_no_command_shows_the_help(run: Run) -> None:
    assert "Create a project." in run().out + run().err
    assert "Create a project." in run("--help").out


BACKENDS = {
    "simple": "in_process",
    "async": "in_process",
    "safe": "safe",
    "celery": "celery_",
}
ABILITIES = {"status", "start_after_response"}  # no options of tasks or calls


@pytest.mark.parametrize("pattern", Pattern)
def test_a_pattern_supports_what_its_backend_does(pattern: Pattern) -> None:
    options = class_values("backend.py", "Option")
    names: dict[str, object] = {"Option": SimpleNamespace(**options)}
    for name in ("COMMON", "DURABLE"):
        names[name] = assigned("backend.py", name, names)
    backend = f"backends/{BACKENDS[pattern]}.py"
    record = RECORDS[pattern]
    assert assigned(backend, "supports", names) - ABILITIES == record.supports
    assert assigned(backend, "is_durable", names) is record.durable


def test_all_options_of_tasks_and_calls_are_known() -> None:
    declared = {
        field.target.id
        for name in ("TaskOptions", "CallOptions")
        for field in class_body("tasks.py", name)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    assert declared == OPTIONS


def read(path: str) -> ast.Module:
    """Return the syntax tree of a module of the runtime package."""
    return ast.parse((helpers.ROOT / "template/afterward" / path).read_text())


def class_body(path: str, name: str) -> list[ast.stmt]:
    """Return the statements of a class."""
    classes = [node for node in ast.walk(read(path)) if isinstance(node, ast.ClassDef)]
    return next(node.body for node in classes if node.name == name)


def class_values(path: str, name: str) -> dict[str, str]:
    """Return the members of an enumeration."""
    members = [each for each in class_body(path, name) if isinstance(each, ast.Assign)]
    return {ast.unparse(m.targets[0]): ast.literal_eval(m.value) for m in members}


def assigned(path: str, name: str, names: dict[str, object]) -> Any:
    """Return what a module or its class assigns to a name."""
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return eval(ast.unparse(node.value), dict(names))
    raise AssertionError(f"no {name} in {path}")
