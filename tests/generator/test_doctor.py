"""`bgscaffold doctor`: what it makes of a machine, and of what the probe tells.

What the probe finds in real projects is shown in tests/projects/test_doctor.py.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bgscaffold.doctor import checks, probe
from bgscaffold.doctor.checks import Finding
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE
from bgscaffold.git import repository
from bgscaffold.system import processes as bgscaffold_processes
from tests import helpers
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.evolving import open_conflict

FACTS = {"python": "3.11.7", "fastapi": "0.150.1", "missing": []}
END = {"end": True}
WELL = [{"state": "ok", "what": "settings", "detail": "they load", "remedy": ""}]
Install = Callable[..., None]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    return helpers.render(
        "celery", "none", tmp_path_factory.mktemp("original") / "shop"
    )


@pytest.fixture
def shop(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of the test's own, on a machine with uv, and stand in it."""
    shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(machine.here / "shop")
    for name in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    machine.install("uv", "echo uv 0.9.1")
    machine.install("git", "echo git version 2.39.5")
    return machine.here / "shop"


def installs(
    shop: Path, *lines: object, script: str = "", place: str = ".venv/bin/python"
) -> None:
    """Give the project a Python that tells what a probe would, whatever it is asked to run."""
    python = shop / place
    python.parent.mkdir(parents=True)
    ended = [END] if lines and not script else []
    told = "\n".join(json.dumps(line) for line in (*lines, *ended))
    python.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{told}\nEND\n{script}\n")
    python.chmod(0o755)


def test_all_is_well(run: Run, shop: Path) -> None:
    installs(shop, FACTS, *WELL)
    assert run("doctor") == Outcome(
        0,
        "ok    uv           0.9.1\n"
        "ok    git          2.39.5\n"
        "ok    answers      shop, pattern celery\n"
        "ok    template     v0.1.0, the same as this bgscaffold\n"
        f"ok    environment  Python 3.11.7, {shop}/.venv\n"
        "ok    fastapi      0.150.1, tested from 0.135 to 0.165\n"
        "ok    settings     they load\n",
        "",
    )


def test_it_says_so_in_json(run: Run, shop: Path) -> None:
    done = run("doctor", "app/actions", "--json")
    said = json.loads(done.out)
    assert done.code == 1
    assert list(said) == ["path", "pattern", "well", "checks"]
    assert (said["path"], said["pattern"], said["well"]) == (str(shop), "celery", False)
    assert said["checks"][-1] == {
        "state": "FAIL",
        "what": "environment",
        "detail": "the project is not installed",
        "remedy": "uv sync",
    }


def test_a_remedy_stands_under_what_it_mends(run: Run, shop: Path) -> None:
    assert run("doctor").out.endswith(
        "FAIL  environment  the project is not installed\n                   remedy: uv sync\n"
    )


def test_no_project(run: Run, machine: Machine) -> None:
    assert run("doctor").err.startswith(
        f"Not a project of bgscaffold: '{machine.here}' ("
    )


def found(run: Run, what: str) -> tuple[str, str, str]:
    """Return the state, detail and remedy of one finding."""
    checks = json.loads(run("doctor", "--json").out)["checks"]
    [one] = [
        (c["state"], c["detail"], c["remedy"]) for c in checks if c["what"] == what
    ]
    return one


@pytest.mark.parametrize("script", [None, "exit 3", "exec /bin/sleep 9"])
def test_a_uv_that_does_not_answer_is_none(
    script: str | None,
    run: Run,
    shop: Path,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "VERSION_TIMEOUT", 0.2)
    (machine.bin / "uv").unlink()
    if script:
        machine.install("uv", script)
    assert found(run, "uv") == (
        "FAIL",
        "not on PATH, or it does not answer",
        "python3 -m pip install uv, or: pipx install uv",
    )


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (
            "exit 1",
            "not on PATH, or it does not answer; it is needed to create projects",
        ),
        ("echo git version 2.30.9.windows.1", "2.30.9 is too old to create projects"),
    ],
)
def test_git_is_missed_by_bgscaffold_only(
    script: str, detail: str, run: Run, shop: Path, machine: Machine
) -> None:
    machine.install("git", script)
    remedy = "install git 2.31 or newer from https://git-scm.com/downloads"
    assert found(run, "git") == ("warn", detail, remedy)


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        ("_src_path: ", "from: ", "without _src_path"),
        (
            "pattern: celery",
            "pattern: safe",
            "they say safe, app/background/ is of pattern celery",
        ),
    ],
)
def test_answers_that_cannot_be_right(
    before: str, after: str, detail: str, run: Run, shop: Path
) -> None:
    answers = shop / ".copier-answers.yml"
    text = answers.read_text()
    assert before in text
    answers.write_text(text.replace(before, after))
    remedy = "restore .copier-answers.yml as it was committed"
    assert found(run, "answers") == ("FAIL", detail, remedy)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("pattern: [", "while parsing a flow sequence"),
        ("pattern: fast", "pattern: 'fast' is none of simple, async, safe, celery"),
    ],
)
def test_answers_of_no_project_are_refused_as_update_refuses_them(
    line: str, reason: str, run: Run, shop: Path
) -> None:
    answers = shop / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("pattern: celery", line))
    done = run("doctor")
    assert done == run("update")
    assert done.err.startswith(
        f"Cannot use the recorded answers: '{answers}' ({reason})"
    )


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("ci: ", "ci: [", "while parsing a flow sequence"),
        ("schedule: false", "schedule: 3", "schedule: 3 is neither true nor false"),
    ],
)
def test_answers_that_update_would_refuse(
    before: str, after: str, reason: str, run: Run, shop: Path
) -> None:
    answers = shop / ".copier-answers.yml"
    text = answers.read_text()
    assert before in text
    answers.write_text(text.replace(before, after))
    state, detail, _remedy = found(run, "answers")
    assert (state, detail) == ("FAIL", reason)
    assert f" ({reason})" in run("update").err


def test_a_folder_that_is_no_project_although_its_answers_are_well(
    run: Run, shop: Path
) -> None:
    (shop / "app/domains.py").unlink()
    assert "(it has no app/domains.py)" in run("doctor").err


@pytest.mark.parametrize(
    ("commit", "finding"),
    [
        ("v0.1.0", Finding("ok", "template", "v0.1.0, the same as this bgscaffold")),
        (
            "v0.0.9",
            Finding(
                "warn",
                "template",
                "v0.0.9, this bgscaffold has v0.1.0",
                "bgscaffold update",
            ),
        ),
        (
            "v0.10.0",
            Finding(
                "warn",
                "template",
                "v0.10.0, newer than this bgscaffold, 0.1.0",
                "upgrade bgscaffold: uv tool upgrade bgscaffold",
            ),
        ),
        (
            "v0.1.0-3-gabc",
            Finding(
                "ok", "template", "v0.1.0-3-gabc, no release, so it is not compared"
            ),
        ),
        ("", Finding("ok", "template", "unknown, no release, so it is not compared")),
    ],
)
def test_the_version_of_the_template(commit: str, finding: Finding) -> None:
    assert checks.check_template_version(commit) == finding


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("0.132.9", "FAIL"),
        ("0.135.0", "ok"),
        ("0.165.9", "ok"),
        ("0.166.0", "warn"),
        ("1.0.0a1", "warn"),
    ],
)
def test_the_version_of_fastapi(version: str, state: str) -> None:
    assert checks.check_fastapi(version).state == state


def test_the_oldest_fastapi_is_that_of_the_template() -> None:
    project = (helpers.ROOT / "template/pyproject.toml.jinja").read_text(
        encoding="utf-8"
    )
    assert f'"fastapi>={checks.dotted(FASTAPI_RANGE[0])},<1"' in project


# ---- The repository ------------------------------------------------------------------------------

UNSETTLED = """\
ok    uv           0.9.1
ok    git          2.39.5
FAIL  conflicts    not settled: .env.example, README.md
                   remedy: edit each between <<<<<<< and >>>>>>> and git add it, or git rm it, \
then git commit; or git reset --hard, which takes back all that is not committed
ok    answers      shop, pattern celery
ok    template     v0.1.0, the same as this bgscaffold
ok    environment  Python 3.11.7, {}/.venv
ok    fastapi      0.150.1, tested from 0.135 to 0.165
ok    settings     they load
"""


@pytest.fixture
def tracked(shop: Path, machine: Machine) -> Path:
    """Give a project in a repository, all of it staged, and a git that works."""
    real = shutil.which("git", path=os.defpath)
    machine.install(
        "git",
        f'if [ "$1" = --version ]; then echo git version 2.39.5; else exec {real} "$@"; fi',
    )
    helpers.git("init", "--quiet", cwd=shop)
    helpers.git("add", "--all", cwd=shop)
    return shop


def test_conflicts_that_are_not_settled(run: Run, tracked: Path) -> None:
    installs(tracked, FACTS, *WELL)
    open_conflict(tracked, "README.md", ".env.example")
    assert run("doctor") == Outcome(1, UNSETTLED.format(tracked), "")


def test_many_conflicts_are_counted(run: Run, tracked: Path) -> None:
    open_conflict(tracked, "app/signup", "docs")
    names = sorted(
        set(helpers.git("ls-files", "app/signup", "docs", cwd=tracked).splitlines())
    )
    _state, detail, _remedy = found(run, "conflicts")
    assert detail == f"not settled: {', '.join(names[:5])} and {len(names) - 5} more"


def test_only_conflicts_of_the_project_are_its_own(run: Run, tracked: Path) -> None:
    (tracked / ".git").rename(tracked.parent / ".git")
    (tracked.parent / "other").touch()
    helpers.git("add", "other", "shop", cwd=tracked.parent)
    open_conflict(tracked.parent, "other")
    assert "conflicts" not in run("doctor").out
    open_conflict(tracked, "README.md")
    assert "FAIL  conflicts    not settled: README.md\n" in run("doctor").out


def test_a_git_that_hangs(
    run: Run, shop: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "TIMEOUT", 0.2)
    script = 'if [ "$1" = --version ]; then echo git version 2.39.5; else exec /bin/sleep 60; fi'
    machine.install("git", script)
    began = time.monotonic()
    assert run("doctor").out.startswith(
        "ok    uv           0.9.1\nok    git          2.39.5\nok  "
    )
    assert time.monotonic() - began < 30


# ---- The environment -----------------------------------------------------------------------------


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
    installs(shop, FACTS, place=place)
    assert found(run, "environment") == ("ok", f"Python 3.11.7, {shop}/elsewhere", "")


def test_packages_that_are_missing(run: Run, shop: Path) -> None:
    installs(shop, FACTS | {"missing": ["celery", "redis"], "fastapi": ""})
    assert found(run, "environment") == (
        "FAIL",
        "not installed: celery, redis",
        "uv sync",
    )
    assert "fastapi" not in run("doctor").out


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'Segmentation fault' >&2; exit 139", "Segmentation fault"),
        ("exit 4", "exit code 4"),
    ],
)
def test_a_python_that_does_not_work(
    script: str, complaint: str, run: Run, shop: Path
) -> None:
    installs(shop, script=script)
    assert found(run, "environment") == (
        "FAIL",
        f"{shop}/.venv/bin/python does not work: {complaint}",
        "remove .venv, then: uv sync",
    )


def test_a_python_that_cannot_be_run(run: Run, shop: Path) -> None:
    installs(shop)
    (shop / ".venv/bin/python").chmod(0o644)
    assert found(run, "environment")[1].endswith("does not work: Permission denied")


def test_a_probe_that_dies_on_the_way(run: Run, shop: Path) -> None:
    installs(shop, FACTS, *WELL, script="echo out of memory >&2; exit 137")
    assert found(run, "settings") == ("ok", "they load", "")
    assert found(run, "the rest") == (
        "FAIL",
        "not looked at: out of memory",
        "run it again",
    )


def test_a_probe_that_does_not_end(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "PROBE_TIMEOUT", 0.5)
    installs(shop, FACTS, *WELL, script="exec /bin/sleep 60")
    assert found(run, "settings") == ("ok", "they load", "")
    assert found(run, "the rest")[1] == "not looked at: no end within 0.5 s"


LOOKING = {"looking": "tasks"}


@pytest.mark.parametrize(
    ("script", "end", "printed"),
    [
        ("exit 3", "exit code 3", ""),
        ("exit 0", "exit code 0", ""),
        ("printf 'one\\n\\033[31mtwo\\n\\n' >&2; exit 3", "exit code 3", "?[31mtwo"),
        ("printf %01000d 7 >&2; exit 3", "exit code 3", f"{'0' * 299}7"),
        ("exec >&2; while :; do printf 3; done", "no end within 1.5 s", "3" * 300),
    ],
)
def test_an_application_that_ends_the_probe_is_told(
    script: str,
    end: str,
    printed: str,
    run: Run,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "PROBE_TIMEOUT", 1.5)
    monkeypatch.setattr(bgscaffold_processes, "KEPT_BYTES", 2000)
    installs(shop, FACTS, *WELL, LOOKING, script=script)
    last = f"; the last that was printed: {printed}" if printed else ""
    assert found(run, "settings") == ("ok", "they load", "")
    assert found(run, "tasks") == (
        "FAIL",
        f"{end} while this was looked at, and what comes after{last}",
        "see what the modules of app/ do when they are imported",
    )
    assert run("doctor").code == 1


def test_what_an_application_leaves_behind_holds_nobody_up(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()
    installs(shop, FACTS, *WELL, LOOKING, script="/bin/sleep 60 & exit 3")
    assert found(run, "tasks")[1].startswith("exit code 3 while")
    # One that has left the session cannot be ended, but nobody waits for what it may still say.
    monkeypatch.setattr(bgscaffold_processes, "READER_TIMEOUT", 0.1)
    monkeypatch.setattr(os, "killpg", lambda *_: None)
    shutil.rmtree(shop / ".venv")
    installs(shop, FACTS, *WELL, LOOKING, script="/bin/sleep 3 & exit 4")
    assert found(run, "tasks")[1].startswith("exit code 4 while")
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "line",
    [
        "garbage}",
        "{",
        "3",
        "[]",
        "[" * 100_000,
        "9" * 5000,
        '{"state": "ok"}',
        '{"state": 1}',
        "",
    ],
)
def test_what_an_application_writes_between_is_not_told(
    line: str, run: Run, shop: Path
) -> None:
    between = f"/bin/cat <<'END'\n{line}\n{json.dumps(WELL[0])}\n{json.dumps(END)}\n{line}\nEND"
    installs(shop, FACTS, script=f"echo '{line[:9]}'\n{between}")
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\nok    settings     they load\n")


def test_facts_that_are_cut_off_are_none(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgscaffold_processes, "KEPT_BYTES", 100)
    installs(shop, FACTS, *WELL)
    assert found(run, "environment")[1].endswith("does not work: exit code 0")


RESTORED = "restore it as it was committed: git checkout HEAD -- {}"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (
            b"[project\n",
            "Expected ']' at the end of a table declaration (at line 1, column 9)",
        ),
        (
            b"\xff",
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b"", "[project] has no list of dependencies"),
        (b"project = 3\n", "[project] has no list of dependencies"),
        (b"[project]\ndependencies = 'x'\n", "[project] has no list of dependencies"),
        (b"[project]\ndependencies = [3]\n", "[project] has no list of dependencies"),
    ],
)
def test_a_pyproject_that_cannot_be_used(
    content: bytes, detail: str, run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").write_bytes(content)
    assert found(run, "pyproject") == ("FAIL", detail, "mend pyproject.toml")


def test_a_pyproject_that_a_merge_has_left_its_markers_in(run: Run, shop: Path) -> None:
    project = (shop / "pyproject.toml").read_text()
    (shop / "pyproject.toml").write_text(
        f"{project}<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> theirs\n"
    )
    assert found(run, "pyproject") == (
        "FAIL",
        "it holds the markers of a merge conflict",
        "settle it, then: git add pyproject.toml",
    )


def test_files_that_are_not_there(run: Run, shop: Path) -> None:
    (shop / "pyproject.toml").unlink()
    (shop / "pyproject.toml").mkdir()
    assert found(run, "pyproject")[1] == "pyproject.toml is no regular file"
    (shop / "pyproject.toml").rmdir()
    (shop / "pyproject.toml").touch()
    for what, file in (
        ("pyproject", "pyproject.toml"),
        ("backend", "app/background/backend.py"),
    ):
        (shop / file).unlink()
        assert found(run, what) == (
            "FAIL",
            f"{file} is not there",
            RESTORED.format(file),
        )


# ---- Names in .env -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dotenv", "names", "meant"),
    [
        ("DATABSE_URL=geheim", "DATABSE_URL", "DATABASE_URL"),
        ("export databse_url=x", "databse_url", "DATABASE_URL"),
        (
            "ADMINTOKEN=x\nTASK_LEESE=3",
            "ADMINTOKEN, TASK_LEESE",
            "ADMIN_TOKEN, TASK_LEASE",
        ),
        ("DATABASE_URI=x\nDATABSE_URL=y", "DATABASE_URI, DATABSE_URL", "DATABASE_URL"),
    ],
)
def test_a_name_that_is_nearly_that_of_a_setting(
    dotenv: str, names: str, meant: str, run: Run, shop: Path
) -> None:
    (shop / ".env").write_text(dotenv)
    told = f"no setting is called {names}"
    assert found(run, ".env") == ("warn", told, f"if you mean {meant}, write that")


@pytest.mark.parametrize(
    "dotenv",
    [
        *(
            "",
            "DATABASE_URL=x",
            "database_url=x",
            "STRIPE_KEY=x",
            "TEST_DATABASE_URL=x",
        ),
        *("ACTION_LOGS=x", "# DATABSE_URL=x", "SMTP_USER=x", "UV_CACHE_DIR=x"),
    ],
)
def test_a_name_of_the_users_own(dotenv: str, run: Run, shop: Path) -> None:
    (shop / ".env").write_text(dotenv)
    (shop / "app/actions/mine.py").write_text("LOGS = environ['ACTION_LOGS']\n")
    assert ".env" not in run("doctor").out


def test_without_an_example_no_name_is_unknown(run: Run, shop: Path) -> None:
    (shop / ".env").write_text("DATABSE_URL=x")
    (shop / ".env.example").unlink()
    assert ".env" not in run("doctor").out


PIPED = (
    "it is a pipe that gives nothing within 0.2 s, and the application may wait, too"
)


def test_a_pipe_that_gives_nothing_is_not_waited_for(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DOTENV_TIMEOUT", 0.2)
    os.mkfifo(shop / ".env")
    installs(shop, FACTS, *WELL)
    assert found(run, ".env") == (
        "FAIL",
        f"{PIPED}; the rest was not looked at",
        "start what writes into it, and run it again; or put a file in its place",
    )
    assert "settings" not in run("doctor").out


def test_a_pipe_that_a_password_manager_writes_into_is_read(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    os.mkfifo(shop / ".env")
    installs(shop, script='echo "${ENVIRONMENT-unset} geheim" >&2; exit 1')
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo 'MY_TOKEN=geheim\nENVIRONMENT=x' > .env"]
    ):
        assert found(run, "environment")[1].endswith(": unset ***")


@pytest.mark.parametrize(
    "make", [Path.mkdir, lambda link: link.symlink_to("/dev/zero")]
)
def test_what_is_no_file_is_not_read(
    make: Callable[[Path], None], run: Run, shop: Path
) -> None:
    make(shop / ".env")
    told = "it is no regular file, and was not read"
    assert found(run, ".env") == ("warn", told, "put a file in its place")


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        ".env.example",
        "app/actions/tasks.py",
        "app/background/backend.py",
    ],
)
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(
    name: str, run: Run, shop: Path
) -> None:
    (shop / name).unlink()
    os.mkfifo(shop / name)
    (shop / ".env").write_text("DATABSE_URL=x")
    installs(shop, FACTS, *WELL)
    assert run("doctor").code == (
        name in ("pyproject.toml", "app/background/backend.py")
    )


@pytest.mark.parametrize(
    ("dotenv", "variable", "expected"),
    [
        ("", "", "development"),
        ("ENVIRONMENT=production\n", "", "unset"),
        ("# x\n export ENVIRONMENT = production\n", "", "unset"),
        ("ENVIRONMENT=production\n", "staging", "staging"),
    ],
)
def test_it_looks_as_poe_dev_would(
    dotenv: str,
    variable: str,
    expected: str,
    run: Run,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    if variable:
        monkeypatch.setenv("ENVIRONMENT", variable)
    (shop / ".env").write_text(dotenv)
    installs(shop, script='echo "${ENVIRONMENT-unset}" >&2; exit 1')
    assert found(run, "environment")[1].endswith(f": {expected}")


# ---- Secrets -------------------------------------------------------------------------------------


def test_no_secret_is_told(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", "t0ken")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:p%40ss/w@rd@db/app")
    (shop / ".env").write_text(
        "BROKER_URL='amqp://guest:r4bbit@mq//'\nMY_SECRET = s3cret\nEMPTY=\n"
    )
    said = "t0ken p%40ss/w@rd p@ss/w@rd r4bbit s3cret redis://:other@host/0 x://ada:one@two@h"
    installs(shop, FACTS, *[{**WELL[0], "detail": said, "remedy": said}])
    hidden = "*** *** *** *** *** redis://:***@host/0 x://ada:***@h"
    assert found(run, "settings") == ("ok", hidden, hidden)
    assert run("doctor").out.endswith(
        f"ok    settings     {hidden}\n                   remedy: {hidden}\n"
    )


SECRET = "geheim" * 500


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("x" * 1000, "x" * 1000),
        ("x" * 1001, "x" * 1000 + " ..."),
        (f"{'x' * 990} {SECRET} x", f"{'x' * 990} *** x"),
        (f"{'x' * 990} y://u:{'abc' * 500}@h", f"{'x' * 990} y://u:*** ..."),
    ],
)
def test_a_long_detail_is_cut_when_nothing_in_it_is_secret(
    detail: str, told: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", SECRET)
    installs(shop, FACTS, {**WELL[0], "detail": detail})
    assert found(run, "settings")[1] == told


@pytest.mark.parametrize("secret", [f"x {SECRET}", f"{'z' * 299} y://u:{SECRET}@h"])
def test_no_part_of_a_secret_is_told_of_what_was_printed(
    secret: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", SECRET)
    installs(shop, FACTS, LOOKING, script=f"echo '{secret}' >&2; exit 3")
    assert "***" in found(run, "tasks")[1]
    assert "heim" not in found(run, "tasks")[1]


# ---- Parts of the probe that need no project -----------------------------------------------------


def processes(folder: Path, *command_lines: str, cwd: Path) -> Path:
    """Make a folder that looks like /proc."""
    (folder / "self").mkdir(parents=True)
    for number, line in enumerate(command_lines, 8):
        process = folder / str(number)
        process.mkdir()
        (process / "cmdline").write_bytes(line.replace(" ", "\0").encode())
        (process / "cwd").symlink_to(cwd)
    (folder / "99").mkdir()  # of somebody else: nothing in it can be read
    return folder


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the application's settings say where it runs."""
    runs_in(monkeypatch, "production")


def runs_in(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    """Put a module in the place of the application's settings."""
    module: Any = SimpleNamespace(settings=SimpleNamespace(environment=environment))
    monkeypatch.setitem(sys.modules, "app.settings", module)


@pytest.mark.parametrize(
    ("environment", "beat", "worker"),
    [("development", "dev", "dev"), ("production", "beat", "worker")],
)
def test_what_is_not_running_is_started_as_the_environment_asks(
    environment: str,
    beat: str,
    worker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs_in(monkeypatch, environment)
    monkeypatch.setattr(probe, "HERE", tmp_path)
    monkeypatch.setattr(probe, "PROCESSES", processes(tmp_path / "proc", cwd=tmp_path))
    told = [probe.beat()["detail"], probe.worker()["detail"]]
    assert told == [
        f"not running on this machine; if it runs on no other: uv run poe {beat}",
        f"none is alive here; if it runs nowhere else: uv run poe {worker}",
    ]


BEAT = "/x/bin/python3 -m celery --app app.background.worker beat"


@pytest.mark.parametrize(
    ("command_lines", "state", "detail"),
    [
        (
            (),
            "ok",
            "not running on this machine; if it runs on no other: uv run poe beat",
        ),
        (
            (
                "uv run celery --app app.background.worker beat",
                BEAT.replace("beat", "worker"),
                BEAT,
            ),
            "ok",
            "one runs on this machine; other machines cannot be seen from here",
        ),
        ((BEAT, BEAT), "warn", "2 run on this machine, processes 8, 9"),
    ],
)
def test_beats_are_counted(
    command_lines: tuple[str, ...],
    state: str,
    detail: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proc = processes(tmp_path / "proc", *command_lines, cwd=probe.HERE)
    monkeypatch.setattr(probe, "PROCESSES", proc)
    assert (probe.beat()["state"], probe.beat()["detail"]) == (state, detail)


def test_the_beat_of_another_project_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = processes(tmp_path / "proc", BEAT, BEAT, cwd=tmp_path)
    monkeypatch.setattr(probe, "PROCESSES", proc)
    assert probe.beat()["detail"].startswith("not running on this machine;")


@pytest.mark.parametrize(
    ("ages", "detail"),
    [
        ({}, "none is alive here; if it runs nowhere else: uv run poe worker"),
        ({"celery@one": 1}, "alive: celery@one"),
        (
            {"celery@two": 2, "celery@one": 1, "celery@old": 90},
            "alive: celery@one, celery@two",
        ),
        (
            {"celery@one": 90, "celery@two": 9000},
            (
                "none is alive here; celery@one was, 90 seconds ago;"
                " if it runs nowhere else: uv run poe worker"
            ),
        ),
    ],
)
def test_a_worker_is_named_by_its_sign_of_life(
    ages: dict[str, int], detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "HERE", tmp_path)
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    (tmp_path / "var").mkdir()
    for name, age in ages.items():
        file = tmp_path / "var" / f"{name}.alive"
        file.touch()
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    assert probe.worker() == probe.ok("worker", detail)


def test_a_system_that_shows_no_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROCESSES", tmp_path)
    assert probe.beat() == probe.ok(
        "beat", "whether one runs cannot be seen on this system"
    )


def test_a_check_that_hangs_is_a_finding() -> None:
    import threading

    hanging = threading.Event()

    def broker() -> probe.Finding:
        hanging.wait()
        return probe.ok("broker", "late")

    assert probe.bounded(broker, 0.05, "start it") == probe.fail(
        "broker", "no answer within 0.05 s", "start it"
    )
    hanging.set()


def test_a_check_that_raises_is_a_finding() -> None:
    def tasks() -> probe.Finding:
        sys.exit("no licence\nmore")

    assert probe.bounded(tasks, 5, "mend it") == probe.fail(
        "tasks", "SystemExit: no licence", "mend it"
    )


class Mute(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise SystemExit("no words")


class Closed(Exception):
    """An error that cannot be looked into."""

    @property
    def orig(self) -> object:
        raise ValueError


class Listing(Exception):
    """An error whose `errors` are not those of pydantic."""

    errors = ("one", "two")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Mute(), "Mute"),
        (Closed("x"), "Closed"),
        (Listing("x"), "Listing: x"),
        (SyntaxError(), "SyntaxError"),
        (SyntaxError(3), "SyntaxError: 3"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_told_however_odd_it_is(error: Exception, told: str) -> None:
    def tasks() -> probe.Finding:
        raise error

    assert probe.bounded(tasks, 5, "mend it") == probe.fail("tasks", told, "mend it")


def test_what_an_error_says_is_cut() -> None:
    assert probe.summarize(RuntimeError("x" * 2_000_000)) == "RuntimeError: " + "x" * (
        probe.MAX_MESSAGE - 14
    )


def test_a_folder_where_no_database_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    url = SimpleNamespace(database=str(tmp_path / "var/app.db"))
    assert probe.missing_sqlite_file(url) == probe.fail(
        "database",
        f"{tmp_path}/var/app.db is not there, and {tmp_path} is not writable",
        "let the user who runs the application write there",
    )


# ---- Migrations as they are written --------------------------------------------------------------

VERSIONS = "app/migrations/versions"


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        (
            {
                "a": "'10'; down_revision = None",
                "b": "'20'; down_revision = '10'",
                "notes": "None",
            },
            None,
        ),
        (
            {
                "a": "'10'; down_revision = None",
                "b": "'20'; down_revision = '10'",
                "c": "'30'; down_revision = '10'",
                "d": "'40'; down_revision = ('20', '30')",
            },
            None,
        ),
        (
            {
                "a": "'10'",
                "b": "'20'; down_revision = '10'",
                "c": "'30'; down_revision = '10'",
            },
            probe.fail(
                "migrations",
                f"2 that nothing follows: 20 ({VERSIONS}/b.py), 30 ({VERSIONS}/c.py)",
                "uv run alembic merge heads -m merge",
            ),
        ),
        (
            {
                "a": "'10'",
                "b": "'20'; down_revision = '10'",
                "c": "'20'; down_revision = '10'",
            },
            probe.fail(
                "migrations",
                f"revision 20 stands in two files, {VERSIONS}/b.py and {VERSIONS}/c.py",
                "give the newer one another name, in its line `revision`",
            ),
        ),
        (
            {"a": "'10'", "x_merge": "'30'; down_revision = ('20', '10')"},
            probe.fail(
                "migrations",
                f"{VERSIONS}/x_merge.py follows 20, which no file has",
                "remove that file, or restore the one that it follows",
            ),
        ),
    ],
)
def test_migrations_that_do_not_follow_one_another(
    files: dict[str, str],
    finding: probe.Finding | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "HERE", tmp_path)
    (tmp_path / VERSIONS).mkdir(parents=True)
    for name, revision in files.items():
        (tmp_path / VERSIONS / f"{name}.py").write_text(f"revision = {revision}\n")
    assert probe.migration_problem(probe.load_migrations()) == finding
