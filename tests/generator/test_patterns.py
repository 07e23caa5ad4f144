"""`bgscaffold patterns` and the records behind it."""

from bgscaffold.patterns import PROMISES, RECORDS, Pattern
from tests import helpers
from tests.generator.conftest import Outcome, Run

TABLE = """\
simple  FastAPI's BackgroundTasks: one after another, in the web process
async   concurrent and bounded, on the event loop of the web process
safe    kept in the database, run by the web process, resumed after a crash
celery  kept in the database, run by Celery workers on many machines

                                      simple           async            safe             celery
tasks run in                          web process      event loop       web process      workers
a failing task stops only itself      yes              yes              yes              yes
a wrong argument fails the request    yes              yes              yes              yes
a failure is seen in                  log              log              log, row         log, row
at SIGTERM, within the grace          finishes         finishes         finishes         finishes
not finished within the grace         lost             lost             resumed          resumed
kill -9, power cut                    lost             lost             resumed          resumed
broker down                           -                -                -                accepted
retry with backoff, then dead         no               no               yes              yes
GET /tasks/{id}                       no               no               yes              yes
enqueued in the caller's transaction  -                -                yes              yes
a server, in development              none             none             none             none
servers, in production                none             none             none             broker, db
many machines                         own requests     own requests     with PostgreSQL  yes

At least once: after a crash a task may run twice, so write tasks that bear it.
"""


def test_the_table(run: Run) -> None:
    assert run("patterns") == Outcome(0, TABLE, "")


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
