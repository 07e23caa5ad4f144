"""Looks at a project from inside, for `bgscaffold doctor`.

The project's own Python runs this file, in the project's folder: it sees what the API and a worker
would see. It imports what the project has, and nothing of bgscaffold, which is not installed there.
Each line that it prints is a JSON object: first the facts, then what is looked at and what was found,
by turns, and at the end the word that it is the end. Without that the application has ended it.
"""

import json
import os
import platform
import re
import runpy
import sys
import time
import tomllib
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

HERE = Path.cwd()
PROCESSES = Path("/proc")
SERVER_TIMEOUT = 3.0  # seconds for whatever asks a server
IMPORT_TIMEOUT = (
    15.0  # seconds for what imports the project: on a busy machine that takes some
)
MAX_MESSAGE = 8_000  # characters of an error: more than a secret has, of which half would not be hidden
WORKER_TIMEOUT = 30.0  # seconds since a worker's last sign, as in compose.yaml
PRUNE_TASK = "background.clean"  # the one task of Celery that is not the user's
FIX_REMEDY = "mend it: the application does not start like this"

Finding = dict[str, str]
Migration = tuple[str, str, set[str]]  # its file, its revision, those that it follows


def ok(what: str, detail: str) -> Finding:
    """Return a finding that is well."""
    return {"state": "ok", "what": what, "detail": detail, "remedy": ""}


def warn(what: str, detail: str, remedy: str) -> Finding:
    """Return a finding that somebody should know of."""
    return {"state": "warn", "what": what, "detail": detail, "remedy": remedy}


def fail(what: str, detail: str, remedy: str) -> Finding:
    """Return a finding that must be mended."""
    return {"state": "FAIL", "what": what, "detail": detail, "remedy": remedy}


# ---- Facts ---------------------------------------------------------------------------------------


def facts() -> dict[str, Any]:
    """Return what is installed."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    needed = [
        re.match(r"[\w.-]+", line)
        for line in project.get("project", {}).get("dependencies", [])
    ]
    names = [found[0] for found in needed if found]
    return {
        "python": platform.python_version(),
        "fastapi": version("fastapi"),
        "missing": [name for name in names if not version(name)],
    }


def version(name: str) -> str:
    """Return the installed version of a package, '' if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


# ---- Settings, tasks -----------------------------------------------------------------------------


def settings() -> Finding:
    """Load the settings of the application and of its pattern."""
    try:
        import_module("app.background.settings")
        environment = import_module("app.settings").settings.environment
    except (ImportError, SyntaxError) as error:  # no setting would mend that
        return fail("settings", describe_error(error), FIX_REMEDY)
    return ok("settings", f"they load, ENVIRONMENT is {environment}")


def tasks() -> Finding:
    """Import what a worker imports, then what the API imports, and compare their tasks."""
    known: dict[str, Any] = import_module("app.background.task").TASKS
    import_module("app.domains").import_tasks()
    worker = registered_by_worker() if has_broker() else set(known)
    check_options()
    import_module("app.main")
    if only := sorted(set(known) ^ worker):
        remedy = "declare each in the tasks.py of its domain, which is all that workers import"
        return fail(
            "tasks", f"known to the API, not to a worker: {', '.join(only)}", remedy
        )
    same = ", the same in API and worker" if has_broker() else ""
    return ok("tasks", f"{len(known)} registered{same}")


def registered_by_worker() -> set[str]:
    """Return the tasks that a Celery worker would take."""
    names = import_module("app.background.worker").celery_app.tasks
    return {
        name for name in names if not name.startswith("celery.") and name != PRUNE_TASK
    }


def check_options() -> None:
    """Raise what the start of the API would raise when a task declares too much."""
    module = import_module("app.background.backend")
    pattern = re.match(r"Pattern (\w+)", module.__doc__ or "")
    check = import_module("app.background.task").check_options
    check(pattern[1] if pattern else "this one", module.backend.supports)


def has_broker() -> bool:
    """Tell whether the project's pattern is the one with a broker."""
    return (HERE / "app" / "background" / "celery_app.py").is_file()


def describe_error(error: BaseException) -> str:
    """Name where an error comes from, and the error; its kind alone when it cannot be looked into."""
    try:
        return locate_error(error)
    except BaseException:  # noqa: BLE001  # it may be of the project's, and its code may fail, too
        return type(error).__name__


def locate_error(error: BaseException) -> str:
    """Name the file of the project that an error comes from, its line, and the error."""
    if place := task_location(error_text(error)):
        return f"{place}: {summarize(error)}"
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno) for frame in frames]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    own = [
        (path, line) for path, line in places if path.startswith(f"{HERE}{os.sep}app")
    ]
    placeless = isinstance(error, OSError | RuntimeError) or hasattr(error, "orig")
    if placeless or wrong_settings(error) or not own:
        return summarize(error)
    room = f"{HERE / 'app' / 'background'}{os.sep}"  # which only says what the user's own code does
    path, line = ([each for each in own if not each[0].startswith(room)] or own)[-1]
    first = task_location(
        error_text(error), r"@task\('([\w.]+)'\): .* already has this name"
    )
    both = f" The first is at {first}." if first else ""
    return f"{format_location(path, line)}: {summarize(error)}{both}"


def task_location(text: str, pattern: str = r"task '([\w.]+)' declares") -> str:
    """Return where the task is declared that an error speaks of, '' when it speaks of none."""
    found = re.match(pattern, text)
    known: dict[str, Any] = import_module("app.background.task").TASKS if found else {}
    task = known.get(found[1]) if found else None
    return (
        format_location(
            task.func.__code__.co_filename, task.func.__code__.co_firstlineno
        )
        if task
        else ""
    )


def format_location(path: str, line: int | None) -> str:
    """Return a place in the project as text."""
    return f"{Path(path).relative_to(HERE).as_posix()}, line {line}"


def summarize(error: BaseException) -> str:
    """Return what an error says, as much of it as anybody would read."""
    return full_message(error)[:MAX_MESSAGE]


def full_message(error: BaseException) -> str:
    """Return what an error says: the first line, or each setting that is wrong, without its value."""
    if wrong := wrong_settings(error):
        return wrong
    error = getattr(error, "orig", None) or error
    kind = type(error).__name__
    said = (error_text(error).strip().splitlines() or [""])[0]
    if kind == "RefusesToStart":  # the application's own refusals say all of it
        return said
    return f"{kind}: {said}" if said else kind


def wrong_settings(error: Any) -> str:
    """Return each setting that an error of pydantic calls wrong, '' for any other error."""
    with suppress(AttributeError, TypeError):  # it has no `errors`, or others
        wrong = error.errors(
            include_url=False, include_input=False, include_context=False
        )
        return "; ".join(
            f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in wrong
        )
    return ""


def error_text(error: BaseException) -> str:
    """Return the text of an error, '' when it has none to give."""
    with suppress(
        BaseException
    ):  # its class may be of the project's, and fail in any way
        return str((error.msg or "") if isinstance(error, SyntaxError) else error)
    return ""


# ---- The database --------------------------------------------------------------------------------


def database() -> Finding:
    """Open the database as the application would, but create nothing."""
    sa = import_module("sqlalchemy")
    url = sa.make_url(import_module("app.settings").settings.database_url)
    if url.get_backend_name() == "sqlite" and (missing := missing_sqlite_file(url)):
        return missing
    with engine(url).connect() as connection:
        # SQLite opens any file at once, and looks into it at the first question about it.
        sqlite = url.get_backend_name() == "sqlite"
        connection.execute(sa.text("PRAGMA schema_version" if sqlite else "SELECT 1"))
    return ok("database", url.render_as_string(hide_password=True))


def missing_sqlite_file(url: Any) -> Finding | None:
    """Return what is to be said of a SQLite file that is not there yet."""
    file = Path(url.database)
    if file.exists():
        return None
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        remedy = "let the user who runs the application write there"
        return fail(
            "database", f"{file} is not there, and {folder} is not writable", remedy
        )
    return ok("database", f"{file}, which the first start makes")


def engine(url: Any) -> Any:
    """Return an engine that changes nothing, and waits for nobody for long."""
    sa = import_module("sqlalchemy")
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(
            url, poolclass=sa.NullPool, connect_args={"connect_timeout": 2}
        )
    file = quote(str(Path(url.database).absolute()))
    address = f"sqlite+pysqlite:///file:{file}?mode=ro&uri=true"
    return sa.create_engine(address, poolclass=sa.NullPool, connect_args={"timeout": 2})


def migrations() -> Finding:
    """Compare the revision of the database with the newest that the code has."""
    sa, migration = (
        import_module("sqlalchemy"),
        import_module("alembic.runtime.migration"),
    )
    url = sa.make_url(import_module("app.settings").settings.database_url)
    itself = url.get_backend_name() == "sqlite"
    if complaint := migration_problem(load_migrations()):
        return complaint
    needed, known = revisions()
    if itself and not Path(url.database or "").exists():
        return ok("migrations", f"{listed(needed)}, applied at the first start")
    with engine(url).connect() as connection:
        present = set(
            migration.MigrationContext.configure(connection).get_current_heads()
        )
    if present == needed:
        return ok("migrations", f"current, {listed(needed)}")
    at = f"the database is at {listed(present)}"
    if present - known:
        return fail(
            "migrations", f"{at}, which this code does not know", downgrade_remedy(url)
        )
    behind = f"{at}, the code needs {listed(needed)}"
    if itself:
        return warn(
            "migrations", f"{behind}; the next start applies it", "uv run poe migrate"
        )
    return fail("migrations", behind, "uv run poe migrate")


def downgrade_remedy(url: Any) -> str:
    """Return what to do about a database that was migrated by code that is not there."""
    bring = (
        "run the code that migrated it; if git has undone that, bring it back and take"
    )
    database = " the database back first: uv run alembic downgrade, as its report says under Undo"
    remove = f"; in development you may remove {url.database}"
    return bring + database + (remove if url.get_backend_name() == "sqlite" else "")


def load_migrations() -> list[Migration]:
    """Run the files of the migrations, which do nothing but define, as Alembic does."""
    folder = HERE / "app" / "migrations" / "versions"
    found = []
    for file in sorted(folder.glob("*.py")):
        names = runpy.run_path(str(file))
        if revision := names.get("revision"):
            follows = names.get("down_revision") or ()
            several = {follows} if isinstance(follows, str) else set(follows)
            found.append((file.relative_to(HERE).as_posix(), revision, several))
    return found


def migration_problem(found: list[Migration]) -> Finding | None:
    """Return what keeps migrations from being applied, None when they follow one another."""
    first = {name: file for file, name, _follows in reversed(found)}
    followed = {name for _file, _name, follows in found for name in follows}
    for file, name, follows in found:
        if file != first[name]:
            both = f"revision {name} stands in two files, {first[name]} and {file}"
            other = "give the newer one another name, in its line `revision`"
            return fail("migrations", both, other)
        if unknown := follows - first.keys():
            told = f"{file} follows {listed(unknown)}, which no file has"
            return fail(
                "migrations",
                told,
                "remove that file, or restore the one that it follows",
            )
    ends = [
        f"{name} ({file})" for file, name, _follows in found if name not in followed
    ]
    if len(ends) > 1:
        told = f"{len(ends)} that nothing follows: {', '.join(ends)}"
        return fail("migrations", told, "uv run alembic merge heads -m merge")
    return None


def revisions() -> tuple[set[str], set[str]]:
    """Return the newest revisions of the code, and all of them."""
    config = import_module("alembic.config").Config()
    config.set_main_option("script_location", "app:migrations")
    config.set_main_option("path_separator", "os")
    scripts = import_module("alembic.script").ScriptDirectory.from_config(config)
    return set(scripts.get_heads()), {
        script.revision for script in scripts.walk_revisions()
    }


def listed(revisions: set[str]) -> str:
    """Return revisions as text."""
    return ", ".join(sorted(revisions)) or "no revision"


# ---- Celery --------------------------------------------------------------------------------------


def broker() -> Finding:
    """Connect to the broker, once."""
    settings = import_module("app.background.settings").settings
    try:
        settings.refuse_embedded_broker_in_production()
    except Exception as error:  # noqa: BLE001  # whatever the application refuses with, it is told
        return fail(
            "broker",
            describe_error(error),
            "set BROKER_URL to redis://... or amqp://...",
        )
    if settings.broker_url.startswith("sqla+"):
        return ok("broker", "the embedded one, a file, for development")
    celery_app = import_module("app.background.celery_app").celery_app
    with celery_app.connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        connection.default_channel.close()
        # Without a password it would show one that is hidden.
        return ok("broker", connection.as_uri(include_password=not connection.password))


def beat() -> Finding:
    """Count the beats of this project that run on this machine."""
    if not (PROCESSES / "self").exists():
        return ok("beat", "whether one runs cannot be seen on this system")
    folders = [folder for folder in PROCESSES.iterdir() if folder.name.isdigit()]
    running = sorted(int(folder.name) for folder in folders if is_beat(folder))
    if len(running) > 1:
        told = f"{len(running)} run on this machine, processes {', '.join(map(str, running))}"
        return warn("beat", told, "end all but one: each sends every scheduled task")
    if running:
        return ok(
            "beat", "one runs on this machine; other machines cannot be seen from here"
        )
    return ok(
        "beat", f"not running on this machine; if it runs on no other: {start('beat')}"
    )


def worker() -> Finding:
    """Name the workers that have lately left a sign of life in this folder."""
    ages = {
        file.stem: time.time() - file.stat().st_mtime
        for file in (HERE / "var").glob("*.alive")
    }
    alive = sorted(name for name, age in ages.items() if age <= WORKER_TIMEOUT)
    if alive:
        return ok("worker", f"alive: {', '.join(alive)}")
    last = min(ages, key=ages.__getitem__, default="")
    before = f"; {last} was, {ages[last]:.0f} seconds ago" if last else ""
    return ok(
        "worker",
        f"none is alive here{before}; if it runs nowhere else: {start('worker')}",
    )


def start(verb: str) -> str:
    """Return what starts a process; by itself it would run as in production."""
    environment = import_module("app.settings").settings.environment
    return f"uv run poe {'dev' if environment == 'development' else verb}"


def is_beat(process: Path) -> bool:
    """Tell whether a process is a beat of this project."""
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        python = Path(words[0]).name.startswith(
            "python"
        )  # and not the uv that waits for it
        own = python and "beat" in words and "app.background.worker" in words
        return own and (process / "cwd").resolve() == HERE.resolve()
    except OSError:  # it has ended, or belongs to somebody else
        return False


# ---- All of it -----------------------------------------------------------------------------------


def bounded(check: Callable[[], Finding], patience: float, remedy: str) -> Finding:
    """Return what a check finds; an error, or no answer in time, is a finding too."""
    name = check.__name__
    found = [fail(name, f"no answer within {patience:g} s", remedy)]

    def look() -> None:
        try:
            found.append(check())
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is told
            found.append(fail(name, describe_error(error), remedy))

    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(patience)
    return found[-1]


def look(say: Callable[[dict[str, Any]], None]) -> None:
    """Look at one thing after another, as far as those before let it be looked at."""

    def at(check: Callable[[], Finding], patience: float, remedy: str) -> bool:
        say({"looking": check.__name__})
        say(found := bounded(check, patience, remedy))
        return found["state"] == "ok"

    if not at(settings, IMPORT_TIMEOUT, "correct it in the environment, or in .env"):
        say(
            warn(
                "the rest",
                "not looked at, for the settings do not load",
                "mend them first",
            )
        )
        return
    at(tasks, IMPORT_TIMEOUT, FIX_REMEDY)
    if at(database, SERVER_TIMEOUT, "start it, or correct DATABASE_URL"):
        at(
            migrations,
            SERVER_TIMEOUT,
            "see whether app/migrations/ is as it was committed",
        )
    if has_broker():
        at(
            broker,
            SERVER_TIMEOUT,
            "start it, or set BROKER_URL to redis://... or amqp://...",
        )
        at(beat, SERVER_TIMEOUT, "run it again")
        at(worker, SERVER_TIMEOUT, "run it again")


def main() -> None:
    """Print the facts, then the findings."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(
        2, 1
    )  # what the project's modules print when they are imported goes elsewhere

    def say(what: dict[str, Any]) -> None:
        # On a line of its own, whatever a module has written to this descriptor.
        print(f"\n{json.dumps(what)}", file=results, flush=True)

    known = facts()
    say(known)
    sys.path.insert(0, str(HERE))
    if not known["missing"]:
        look(say)
    say({"end": True})
    os._exit(0)  # not later: a thread may still wait for a server


if __name__ == "__main__":
    main()
