"""`bgscaffold doctor`: the machine, the files, and the messages of the probe.

tests/projects/test_doctor.py shows what the probe finds in real projects.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bgscaffold.analysis.migrations import Revision
from bgscaffold.doctor import files, inside, machine
from bgscaffold.doctor.findings import Finding
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE
from bgscaffold.project.project import Project
from bgscaffold.system import processes
from bgscaffold.template.errors import TemplateNotFoundError
from tests import helpers
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.upgrading import open_conflict

VERSIONS = {"versions": {"python": "3.11.7", "fastapi": "0.150.1"}}
DONE = {"done": True}
SETTINGS = {"state": "ok", "check": "settings", "detail": "valid", "remedy": ""}
STARTED = {"started": "tasks"}
GIT = subprocess.run(["git", "version"], capture_output=True, text=True, check=True)
GIT_VERSION = GIT.stdout.split()[2]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    folder = tmp_path_factory.mktemp("original")
    return helpers.render("celery", "none", folder / "shop")


@pytest.fixture
def shop(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the project, which is the current folder, on a machine with uv."""
    shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(machine.here / "shop")
    for name in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    machine.install("uv", "echo uv 0.9.1")
    return machine.here / "shop"


def install(
    shop: Path, *messages: object, script: str = "", place: str = ".venv/bin/python"
) -> None:
    """Give the project a Python that prints messages of the probe, then runs a script."""
    python = shop / place
    python.parent.mkdir(parents=True)
    end = [DONE] if messages and not script else []
    lines = "\n".join(json.dumps(message) for message in (*messages, *end))
    python.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{lines}\nEND\n{script}\n")
    python.chmod(0o755)


def find(run: Run, check: str) -> tuple[str, str, str]:
    """Return the state, the detail and the remedy of one finding."""
    findings = json.loads(run("doctor", "--json").out)["checks"]
    [found] = [each for each in findings if each["check"] == check]
    return found["state"], found["detail"], found["remedy"]


# ---- Output --------------------------------------------------------------------------


def test_text(run: Run, shop: Path) -> None:
    install(shop, VERSIONS, SETTINGS)
    assert run("doctor") == Outcome(
        0,
        "ok    uv           0.9.1\n"
        f"ok    git          {GIT_VERSION}\n"
        "ok    answers      shop, pattern celery\n"
        "ok    template     v0.1.0, the version of this bgscaffold\n"
        "ok    afterward    as in v0.1.0\n"
        f"ok    environment  Python 3.11.7 in {shop}/.venv\n"
        "ok    fastapi      0.150.1; tested from 0.135 to 0.165\n"
        "ok    settings     valid\n",
        "",
    )


def test_json(run: Run, shop: Path) -> None:
    done = run("doctor", "app/actions", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert list(report) == ["path", "pattern", "ok", "checks"]
    assert (report["path"], report["pattern"]) == (str(shop), "celery")
    assert report["ok"] is False
    assert report["checks"][-1] == {
        "state": "FAIL",
        "check": "environment",
        "detail": "the project is not installed",
        "remedy": "Run: uv sync",
    }


def test_a_remedy_is_below_its_finding(run: Run, shop: Path) -> None:
    done = run("doctor")
    assert done.code == 1
    assert done.out.endswith(
        "FAIL  environment  the project is not installed\n"
        "                   Run: uv sync\n"
    )


def test_no_project(run: Run, machine: Machine) -> None:
    line = f"Not a bgscaffold project: '{machine.here}' ("
    assert run("doctor").err.startswith(line)


# ---- The machine ---------------------------------------------------------------------


@pytest.mark.parametrize("script", [None, "exit 3", "exec /bin/sleep 9"])
def test_no_uv(
    script: str | None,
    run: Run,
    shop: Path,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bgscaffold.doctor.machine.TIMEOUT", 0.2)
    (machine.bin / "uv").unlink()
    if script:
        machine.install("uv", script)
    assert find(run, "uv") == (
        "FAIL",
        "not on PATH, or it does not answer",
        "Run: python3 -m pip install uv (or: pipx install uv)",
    )


def test_an_old_uv() -> None:
    assert machine.check_uv("0.7.22") == Finding(
        state="warn",
        check="uv",
        detail="0.7.22; projects are tested with 0.8 and newer",
        remedy="Run: uv self update",
    )


@pytest.mark.parametrize(
    ("version", "detail"),
    [
        ("", "not on PATH, or it does not answer; bgscaffold needs it"),
        ("2.37.9", "2.37.9 is too old for bgscaffold"),
    ],
)
def test_git_is_needed_by_bgscaffold_only(version: str, detail: str) -> None:
    assert machine.check_git(version) == Finding(
        state="warn",
        check="git",
        detail=detail,
        remedy="Install git 2.38 or newer from https://git-scm.com/downloads",
    )


# ---- The files -----------------------------------------------------------------------


def test_answers_that_do_not_match_the_code(run: Run, shop: Path) -> None:
    answers = shop / ".copier-answers.yml"
    text = answers.read_text()
    assert "pattern: celery" in text
    answers.write_text(text.replace("pattern: celery", "pattern: async"))
    assert find(run, "answers") == (
        "FAIL",
        ".copier-answers.yml records pattern async, but app/background.py uses celery",
        "Restore it: git checkout HEAD -- .copier-answers.yml app/background.py",
    )


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_answers_that_match_the_code(pattern: str, tmp_path: Path) -> None:
    project = Project.load(helpers.render(pattern, "none", tmp_path / "shop"))
    assert files.check_answers(project) == Finding(
        state="ok", check="answers", detail=f"shop, pattern {pattern}"
    )


def test_a_backend_of_ones_own_is_not_compared(run: Run, shop: Path) -> None:
    (shop / "app/background.py").write_text("from mine import Backend\n")
    assert find(run, "answers") == ("ok", "shop, pattern celery", "")


def test_answers_that_update_refuses_are_refused(run: Run, shop: Path) -> None:
    answers = shop / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("pattern: celery", "pattern: fast"))
    done = run("doctor")
    assert done == run("update")
    assert done.err.startswith(f"Cannot use the recorded answers: '{answers}' (")


@pytest.mark.parametrize(
    ("commit", "state", "detail", "remedy"),
    [
        ("v0.1.0", "ok", "v0.1.0, the version of this bgscaffold", ""),
        (
            "v0.0.9",
            "warn",
            "v0.0.9; this is bgscaffold 0.1.0",
            "Run: bgscaffold update",
        ),
        (
            "v0.10.0",
            "warn",
            "v0.10.0 is newer than bgscaffold 0.1.0",
            "Run: uv tool upgrade bgscaffold",
        ),
        ("v0.1.0-3-gabc", "ok", "v0.1.0-3-gabc, which is not a release", ""),
    ],
)
def test_the_version_of_the_template(
    commit: str, state: str, detail: str, remedy: str
) -> None:
    assert files.check_template(commit) == Finding(
        state=state, check="template", detail=detail, remedy=remedy
    )


EDITED = ("mine.py", "runner/runner.py", "tasks.py")


def test_a_runtime_package_that_was_edited(run: Run, shop: Path) -> None:
    (shop / "afterward/tasks.py").write_text("mine = 1\n")
    (shop / "afterward/mine.py").touch()
    (shop / "afterward/runner/runner.py").unlink()
    (shop / "afterward/__pycache__").mkdir()
    (shop / "afterward/__pycache__/tasks.cpython-311.pyc").touch()
    assert find(run, "afterward") == (
        "warn",
        f"differs from v0.1.0: {', '.join(f'afterward/{file}' for file in EDITED)}",
        (
            "An update merges into them and can conflict."
            " Restore them: git checkout COMMIT -- afterward"
        ),
    )


def test_line_ends_of_windows_are_no_edit(run: Run, shop: Path) -> None:
    file = shop / "afterward/tasks.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert find(run, "afterward") == ("ok", "as in v0.1.0", "")


def test_a_runtime_package_that_is_missing(run: Run, shop: Path) -> None:
    shutil.rmtree(shop / "afterward")
    assert find(run, "afterward") == (
        "FAIL",
        "afterward/ is missing",
        "Restore it: git checkout HEAD -- afterward",
    )


def test_a_version_that_is_unknown_is_not_compared(run: Run, shop: Path) -> None:
    answers = shop / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("v0.1.0", "v0.0.1"))
    assert "afterward" not in run("doctor").out


def test_without_a_template_nothing_is_compared(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise TemplateNotFoundError("template.bundle")

    monkeypatch.setattr("bgscaffold.template.source.location", missing)
    assert "afterward" not in run("doctor").out


FOLDER = "app/migrations/versions"


def revision(file: str, name: str, *follows: str) -> Revision:
    """Return a revision."""
    return Revision(file=f"{FOLDER}/{file}.py", name=name, follows=frozenset(follows))


@pytest.mark.parametrize(
    ("revisions", "detail", "remedy"),
    [
        (
            [revision("a", "10"), revision("b", "20", "10"), revision("c", "20", "10")],
            f"{FOLDER}/b.py and {FOLDER}/c.py have revision 20",
            "Change `revision` in the newer file",
        ),
        (
            [revision("a", "10"), revision("x_merge", "30", "10", "20")],
            f"{FOLDER}/x_merge.py follows 20, which does not exist",
            "Remove the file, or restore the one that it follows",
        ),
        (
            [revision("a", "10"), revision("b", "20", "10"), revision("c", "30", "10")],
            f"several heads: {FOLDER}/b.py, {FOLDER}/c.py",
            "Run: uv run alembic merge heads -m merge",
        ),
    ],
)
def test_revisions_that_alembic_cannot_order(
    revisions: list[Revision], detail: str, remedy: str
) -> None:
    assert list(files.check_migrations(revisions)) == [
        Finding(state="FAIL", check="revisions", detail=detail, remedy=remedy)
    ]


def test_revisions_that_alembic_can_order() -> None:
    revisions = [
        revision("a", "10"),
        revision("b", "20", "10"),
        revision("c", "30", "10"),
        revision("d", "40", "20", "30"),
    ]
    assert list(files.check_migrations(revisions)) == []


# ---- Conflicts -----------------------------------------------------------------------


@pytest.fixture
def tracked(shop: Path) -> Path:
    """Return a project in a repository, with everything staged."""
    helpers.git("init", "--quiet", cwd=shop)
    helpers.git("add", "--all", cwd=shop)
    return shop


def test_conflicts(run: Run, tracked: Path) -> None:
    install(tracked, VERSIONS, SETTINGS)
    open_conflict(tracked, "README.md", ".env.example")
    state, detail, remedy = find(run, "conflicts")
    assert (state, detail) == ("FAIL", "unresolved: .env.example, README.md")
    assert remedy == (
        "Resolve them: edit each file, `git add` it and run `git commit`. Or drop all"
        " uncommitted changes with `git reset --hard`"
    )


def test_conflicts_of_another_project_are_not_reported(run: Run, tracked: Path) -> None:
    (tracked / ".git").rename(tracked.parent / ".git")
    (tracked.parent / "other").touch()
    helpers.git("add", "other", "shop", cwd=tracked.parent)
    open_conflict(tracked.parent, "other")
    assert "conflicts" not in run("doctor").out


# ---- The environment -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("UV_PROJECT_ENVIRONMENT", "elsewhere/bin/python"),
        ("VIRTUAL_ENV", "elsewhere/bin/python"),
        ("VIRTUAL_ENV", "elsewhere/Scripts/python.exe"),
    ],
)
def test_an_environment_elsewhere(
    variable: str, place: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "elsewhere")
    install(shop, VERSIONS, place=place)
    assert find(run, "environment") == ("ok", f"Python 3.11.7 in {shop}/elsewhere", "")


@pytest.mark.parametrize(
    ("version", "state", "detail"),
    [
        ("0.132.9", "FAIL", "0.132.9 is too old; tested from 0.135 to 0.165"),
        ("0.135.0", "ok", "0.135.0; tested from 0.135 to 0.165"),
        ("0.165.9", "ok", "0.165.9; tested from 0.135 to 0.165"),
        (
            "1.0.0a1",
            "warn",
            "1.0.0a1 is newer than the versions tested from 0.135 to 0.165",
        ),
    ],
)
def test_the_version_of_fastapi(version: str, state: str, detail: str) -> None:
    finding = inside.check_fastapi(version)
    assert (finding.state, finding.detail) == (state, detail)


def test_the_oldest_fastapi_is_that_of_the_template() -> None:
    template = helpers.ROOT / "template/pyproject.toml.jinja"
    oldest = machine.dotted(FASTAPI_RANGE[0])
    assert f'"fastapi>={oldest},<1"' in template.read_text(encoding="utf-8")


def test_an_old_python() -> None:
    assert inside.check_python(Path("x/bin/python"), "3.10.2") == Finding(
        state="FAIL",
        check="environment",
        detail="Python 3.10.2 is older than 3.11",
        remedy="Run: uv python pin 3.13 && uv sync",
    )


def test_a_missing_fastapi_is_left_to_the_probe(run: Run, shop: Path) -> None:
    install(shop, STARTED, {"versions": {"python": "3.11.7", "fastapi": ""}})
    assert "ok    fastapi" not in run("doctor").out


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Segmentation fault' >&2; exit 139", "Segmentation fault"),
        ("exit 4", "exit code 4"),
    ],
)
def test_a_python_that_does_not_work(
    script: str, reason: str, run: Run, shop: Path
) -> None:
    install(shop, script=script)
    assert find(run, "environment") == (
        "FAIL",
        f"{shop}/.venv/bin/python does not work: {reason}",
        "Remove .venv and run: uv sync",
    )


def test_a_python_that_cannot_be_run(run: Run, shop: Path) -> None:
    install(shop)
    (shop / ".venv/bin/python").chmod(0o644)
    _, detail, _ = find(run, "environment")
    assert detail == f"{shop}/.venv/bin/python does not work: Permission denied"


# ---- A probe that does not finish ----------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("exit 3", "exit code 3", ""),
        ("exit 0", "exit code 0", ""),
        ("printf 'one\\n\\033[31mtwo\\n\\n' >&2; exit 3", "exit code 3", "?[31mtwo"),
        ("printf %01000d 7 >&2; exit 3", "exit code 3", f"{'0' * 299}7"),
        ("exec >&2; while :; do printf 3; done", "no end within 1.5 s", "3" * 300),
        ("exec /bin/sleep 60", "no end within 1.5 s", ""),
    ],
)
def test_code_that_ends_the_probe(
    script: str,
    status: str,
    output: str,
    run: Run,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inside, "TIMEOUT", 1.5)
    monkeypatch.setattr(processes, "KEPT_BYTES", 2000)
    install(shop, VERSIONS, SETTINGS, STARTED, script=script)
    end = f"; its last output: {output}" if output else ""
    assert find(run, "tasks") == (
        "FAIL",
        f"importing the project ended the check ({status}){end}",
        "Find the module that ends the process when it is imported",
    )
    assert find(run, "settings") == ("ok", "valid", "")


def test_processes_that_the_code_starts_are_not_waited_for(
    run: Run, shop: Path
) -> None:
    started = time.monotonic()
    install(shop, VERSIONS, SETTINGS, STARTED, script="/bin/sleep 60 & exit 3")
    _, detail, _ = find(run, "tasks")
    assert detail == "importing the project ended the check (exit code 3)"
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "line",
    [
        "garbage}",
        "3",
        "[]",
        "[" * 100_000,
        "9" * 5000,
        '{"state": "ok"}',
        '{"state": 1, "check": "x", "detail": "x", "remedy": "x"}',
        "",
    ],
)
def test_what_the_code_prints_between_messages_is_ignored(
    line: str, run: Run, shop: Path
) -> None:
    messages = f"{line}\n{json.dumps(SETTINGS)}\n{json.dumps(DONE)}\n{line}"
    install(shop, VERSIONS, script=f"/bin/cat <<'END'\n{messages}\nEND")
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\nok    settings     valid\n")


# ---- .env and secrets ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dotenv", "variable", "expected"),
    [
        ("", "", "development"),
        ("ENVIRONMENT=production\n", "", "unset"),
        ("# x\n export ENVIRONMENT = production\n", "", "unset"),
        ("ENVIRONMENT=production\n", "staging", "staging"),
        ("", "staging", "staging"),
    ],
)
def test_the_environment_is_that_of_poe_dev(
    dotenv: str,
    variable: str,
    expected: str,
    run: Run,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        monkeypatch.setenv("ENVIRONMENT", variable)
    (shop / ".env").write_text(dotenv)
    install(shop, script='echo "${ENVIRONMENT-unset}" >&2; exit 1')
    _, detail, _ = find(run, "environment")
    assert detail == f"{shop}/.venv/bin/python does not work: {expected}"


def pipe(file: Path) -> None:
    """Put a pipe in the place of a file."""
    os.mkfifo(file)


def endless(file: Path) -> None:
    """Put a link to a file without an end in the place of a file."""
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [Path.mkdir, pipe, endless])
@pytest.mark.parametrize("name", [".env", "pyproject.toml", "app/actions/tasks.py"])
def test_a_file_that_is_not_regular_is_not_read(
    name: str, make: Callable[[Path], None], run: Run, shop: Path
) -> None:
    (shop / name).unlink(missing_ok=True)
    make(shop / name)
    install(shop, VERSIONS, SETTINGS)
    assert run("doctor").code == 0


def test_no_secret_is_shown(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", "t0ken")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:p%40ss/w@rd@db/app")
    (shop / ".env").write_text(
        "BROKER_URL='amqp://guest:r4bbit@mq//'\nMY_SECRET = s3cret\nEMPTY=\n"
    )
    text = "t0ken p%40ss/w@rd p@ss/w@rd r4bbit s3cret redis://:other@host/0"
    install(shop, VERSIONS, {**SETTINGS, "detail": text, "remedy": text})
    hidden = "*** *** *** *** *** redis://:***@host/0"
    assert find(run, "settings") == ("ok", hidden, hidden)


SECRET = "geheim" * 500


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("x" * 1000, "x" * 1000),
        ("x" * 1001, "x" * 1000 + " ..."),
        (f"{'x' * 990} {SECRET} x", f"{'x' * 990} *** x"),
        (f"{'x' * 990} y://u:{'abc' * 500}@h", f"{'x' * 990} y://u:*** ..."),
    ],
)
def test_a_long_detail_is_cut_after_secrets_are_hidden(
    detail: str, shown: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", SECRET)
    install(shop, VERSIONS, {**SETTINGS, "detail": detail})
    assert find(run, "settings") == ("ok", shown, "")


@pytest.mark.parametrize("secret", [f"x {SECRET}", f"{'z' * 299} y://u:{SECRET}@h"])
def test_no_part_of_a_secret_is_shown_of_the_last_output(
    secret: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", SECRET)
    install(shop, VERSIONS, STARTED, script=f"echo '{secret}' >&2; exit 3")
    _, detail, _ = find(run, "tasks")
    assert "***" in detail
    assert "heim" not in detail
