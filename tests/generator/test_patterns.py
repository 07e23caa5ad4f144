"""`bgscaffold patterns` and the records behind it."""

import ast

import pytest

from bgscaffold.analysis.task_options import OPTIONS
from bgscaffold.patterns import PROMISES, RECORDS, Pattern
from tests import helpers
from tests.generator.conftest import Outcome, Run

TABLE = """\
simple  FastAPI's BackgroundTasks: one after another, in the web process
async   concurrent and bounded, on the event loop of the web process
safe    kept in the database, run by the web process, resumed after a crash
celery  kept in the database, run by Celery workers on many machines

                                      simple          async           safe            celery
tasks run in                          web process     event loop      web process     workers
a failing task stops only itself      yes             yes             yes             yes
a wrong argument fails the request    yes             yes             yes             yes
a failure is seen in                  log, metrics    log, metrics    and in its row  and in its row
timeout                               of async def    of async def    of async def    of all tasks
at SIGTERM, within the grace          finishes        finishes        finishes        finishes
not finished within the grace         lost            lost            runs again      runs again
kill -9, power cut                    lost            lost            resumed         resumed
broker down                           -               -               -               accepted
retry with backoff, then dead         no              no              yes             yes
idempotency key, delay, priority      no              no              yes             yes
GET /tasks/{id}: state, progress      no              no              yes             yes
list, cancel, retry a dead one        no              no              yes             yes
queues of their own                   no              no              no              yes
health, metrics, JSON logs            yes             yes             yes             yes
enqueued in the caller's transaction  -               -               yes             yes
a server, in development              none            none            none            none
servers, in production                none            none            none            broker, db
many machines                         own requests    own requests    with PostgreSQL yes

At least once: after a crash a task may run twice, so write tasks that bear it.
"""


def test_the_table(run: Run) -> None:
    assert run("patterns") == Outcome(0, TABLE, "")


def test_it_fits_on_a_terminal() -> None:
    assert max(map(len, TABLE.splitlines())) <= 100
    assert len(TABLE.splitlines()) <= 40


# A row of the command, and the row of docs/patterns.md that says the same at length.
SAME = {
    "a failing task stops only itself": "one failing task does not stop the next",
    "a wrong argument fails the request": "a wrong argument fails the request, not the task",
    "at SIGTERM, within the grace": "SIGTERM",
    "not finished within the grace": "cut off by the end of the grace",
    "kill -9, power cut": "`kill -9`, power cut",
    "retry with backoff, then dead": (
        "retry with backoff and jitter, then dead; permanent errors at once"
    ),
    "idempotency key, delay, priority": "idempotency key, delay, priority",
    "GET /tasks/{id}: state, progress": "`GET /tasks/{id}`: state, progress, events",
    "list, cancel, retry a dead one": "list, cancel, retry a dead one, with `ADMIN_TOKEN`",
    "queues of their own": "queues of their own",
    "health, metrics, JSON logs": "`/health/live`, `/health/ready`, `/metrics`, JSON logs",
    "enqueued in the caller's transaction": "enqueued in the caller's own transaction",
    "many machines": "many machines",
}


@pytest.mark.parametrize(("promise", "title"), SAME.items())
def test_the_page_of_the_patterns_says_the_same(promise: str, title: str) -> None:
    page = (helpers.ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    at_length = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    in_short = [record.promises[PROMISES.index(promise)] for record in RECORDS.values()]
    assert [
        long.startswith(short) for long, short in zip(at_length, in_short, strict=True)
    ] == ([True] * 4)


def test_each_pattern_has_one_record_with_every_promise() -> None:
    assert tuple(RECORDS) == tuple(Pattern)
    assert {len(record.promises) for record in RECORDS.values()} == {len(PROMISES)}


def test_copier_offers_the_same_patterns() -> None:
    assert tuple(Pattern) == helpers.PATTERNS
    assert tuple(helpers.questions()["pattern"]["choices"].values()) == tuple(Pattern)


def test_version(run: Run) -> None:
    assert run("--version") == Outcome(0, "bgscaffold 0.1.0\n", "")
    assert run("--version", "new") == Outcome(0, "bgscaffold 0.1.0\n", "")


def test_no_command_shows_the_help(run: Run) -> None:
    assert "Create a project." in run().out + run().err
    assert "Create a project." in run("--help").out


def test_each_pattern_supports_what_its_backend_does() -> None:
    always = {
        "status",
        "start after response",
    }  # abilities, and not options of tasks or calls
    durable = "{{ for_durable }}/app/background/enqueue.py"
    names = {"SUPPORTED": assigned(durable, "SUPPORTED", {})}
    for pattern, record in RECORDS.items():
        backend = f"{{{{ for_{pattern} }}}}/app/background/backend.py"
        assert assigned(backend, "supports", names) - always == record.supports
        assert record.durable == ("app.background.enqueue" in read(backend))


def test_all_options_of_tasks_and_calls_are_known() -> None:
    classes = {
        node.name: {
            each.target.id for each in node.body if isinstance(each, ast.AnnAssign)
        }  # type: ignore[union-attr]  # a class of names
        for node in ast.walk(ast.parse(read("app/background/task.py")))
        if isinstance(node, ast.ClassDef)
    }
    by_the_clock = {"cron", "timezone"}  # what schedules bring, under every pattern
    assert classes["TaskOptions"] | classes["CallOptions"] == OPTIONS | by_the_clock


def read(path: str) -> str:
    """Return a file of the template."""
    return (helpers.ROOT / "template" / path).read_text()


def assigned(path: str, name: str, names: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return the set that a file of the template gives a name to."""
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            value: frozenset[str] = eval(ast.unparse(node.value), dict(names))
            return value
    raise AssertionError(f"no {name} in {path}")
