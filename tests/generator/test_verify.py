"""`bgscaffold verify`: its copy, its errors and its output.

tests/projects/test_verify.py runs the suites themselves, on real projects.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bgscaffold.patterns import Pattern
from bgscaffold.verify import command, environment, suite_process
from bgscaffold.verify.command import FaultResult, SuiteResult, VerifyReport
from bgscaffold.verify.output import report_json, report_text
from bgscaffold.verify.project_copy import copy_project
from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.generator.conftest import Machine, Run

IGNORES_SIGINT = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render two projects, once."""
    folder = tmp_path_factory.mktemp("rendered")
    for pattern in ("simple", "safe"):
        helpers.render(pattern, "none", folder / pattern)
    return folder


@pytest.fixture
def shop(machine: Machine, rendered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern simple, without an environment."""
    monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)
    return Path(shutil.copytree(rendered / "simple", machine.here / "shop"))


@pytest.fixture
def durable(machine: Machine, rendered: Path) -> Path:
    """Return a project of pattern safe."""
    return Path(shutil.copytree(rendered / "safe", machine.here / "durable"))


def install_python(project: Path, python: str = sys.executable) -> Path:
    """Give a project a Python, which lacks the packages of the project."""
    installed = project / ".venv" / "bin" / "python"
    installed.parent.mkdir(parents=True)
    installed.symlink_to(python)
    return installed


# ---- Errors ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--database", "mysql://ada:secret@db/shop"], 2, "'mysql://...'"),
        (["--database", "secret"], 2, "'a URL without ://'"),
        (["--broker", "kafka://host"], 2, "'kafka://...'"),
        (["--broker", "redis://host"], 2, "has no broker: 'simple'"),
        (["--env-file", "no/such.env"], 2, "'no/such.env'"),
        (["--faults"], 1, "loses tasks in a crash, as documented: 'simple'"),
        (["--seed", "x"], 2, "'--seed'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    arguments: list[str], code: int, what: str, shop: Path, run: Run
) -> None:
    outcome = run("verify", str(shop), *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert what in outcome.err
    assert "secret@" not in outcome.err


def test_a_folder_that_is_not_a_project_is_refused(machine: Machine, run: Run) -> None:
    outcome = run("verify", "--json")
    error = json.loads(outcome.out)
    assert (outcome.code, error["error"]) == (1, "NotAProjectError")


def test_faults_need_linux(
    durable: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run("verify", str(durable), "--faults")  # setsid is not on this PATH
    assert outcome.code == 1
    assert "The fault suite cannot run on this system: 'linux'" in outcome.err
    monkeypatch.setattr(command, "PROC", Path("/no/such/folder"))
    assert run("verify", str(durable), "--faults") == outcome


def test_the_missing_extra_is_named(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SUITE_PACKAGES", ("pytest", "no_such_package"))
    outcome = run("verify", str(shop))
    assert outcome.code == 1
    assert "not installed: 'no_such_package'" in outcome.err
    assert "uv tool install 'bgscaffold[verify] @ git+https" in outcome.err


def test_an_environment_that_is_not_installed_is_named(
    shop: Path, machine: Machine, run: Run
) -> None:
    outcome = run("verify", str(shop))
    assert outcome.code == 1
    assert f"is not installed: '{shop}' (there is no .venv)" in outcome.err
    assert "Run `uv sync` in the project." in outcome.err
    (machine.bin / "uv").unlink()
    without_uv = run("verify", str(shop))
    assert "Run `pipx install uv`, and then `uv sync`" in without_uv.err


def test_an_environment_without_the_packages_is_named(shop: Path, run: Run) -> None:
    python = install_python(shop)
    outcome = run("verify", str(shop))
    assert f"({python} lacks fastapi, uvicorn)" in outcome.err


@pytest.mark.parametrize(
    ("program", "reason"),
    [("/etc/passwd", "Permission denied"), ("/bin/false", "exit status 1")],
)
def test_a_python_that_does_not_work_is_named(
    program: str, reason: str, shop: Path, run: Run
) -> None:
    python = install_python(shop, program)
    outcome = run("verify", str(shop))
    assert f"{python} does not work: " in outcome.err
    assert reason in outcome.err


def test_a_suite_without_a_report_is_an_error(
    shop: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_python(shop)
    monkeypatch.setattr(environment, "REQUIRED", [])
    monkeypatch.setattr(command, "CONTRACT", tmp_path)
    outcome = run("verify", str(shop))
    assert outcome.code == 1
    assert "A suite has ended without a report: 'contract'" in outcome.err
    assert f"{tmp_path}/pytest.ini" in outcome.err


# ---- The copy -------------------------------------------------------------------


def test_the_copy_has_what_git_tracks_or_would_track(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    files = {
        ".gitignore": "ignored\n",
        ".env.example": "A=",
        "app/main.py": "main",
        "removed.py": "",
        ".env": "SECRET=1",
        ".env.local": "SECRET=2",
    }
    write(project, files)
    helpers.git("init", "--quiet", cwd=project)
    helpers.git("add", "--force", "--all", cwd=project)
    (project / "link").symlink_to("app/main.py")
    (project / "removed.py").unlink()
    write(project, {"ignored": "", "var/app.db": "data", "new.py": "new"})
    write(project / "module", {"inside.py": "inside"})
    helpers.git("init", "--quiet", cwd=project / "module")
    helpers.git("add", "--all", cwd=project / "module")
    helpers.git("commit", "--quiet", "--message=one", cwd=project / "module")
    helpers.git("-c", "advice.addEmbeddedRepo=false", "add", "module", cwd=project)
    copy_project(project, tmp_path / "copy")
    copied = helpers.tree(tmp_path / "copy")
    assert copied.keys() == {
        *(".env.example", ".gitignore", "app/main.py", "link", "new.py"),
        "module/inside.py",
    }
    assert copied["app/main.py"] == b"main"
    assert (tmp_path / "copy" / "link").is_symlink()


@pytest.mark.parametrize("has_git", [True, False])
def test_without_a_repository_the_copy_leaves_out_what_tools_write(
    has_git: bool, machine: Machine
) -> None:
    project = machine.here / "shop"
    ignored = {".venv/bin/python": "", "app/__pycache__/main.pyc": "", ".x_cache/y": ""}
    files = {"app/main.py": "main", ".env": "SECRET=1", "var/app.db": "data"}
    write(project, files | ignored)
    if not has_git:
        (machine.bin / "git").unlink()
    copy_project(project, machine.here / "copy")
    assert helpers.tree(machine.here / "copy") == {"app/main.py": b"main"}


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, each by its path in a folder."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


# ---- Processes ------------------------------------------------------------------


def test_a_suite_that_ignores_an_interruption_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suite_process, "END_TIMEOUT", 0.1)
    process = subprocess.Popen(
        [sys.executable, "-c", IGNORES_SIGINT],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout
        process.stdout.readline()
        suite_process.end_process(process)
    assert process.returncode == -signal.SIGKILL


def test_every_process_with_the_mark_is_killed() -> None:
    sleep = shutil.which("sleep")
    assert sleep
    marked, other = (
        subprocess.Popen([sleep, "60"], env={suite_process.MARK: mark})
        for mark in ("a", "b")
    )
    until(lambda: is_running(marked.pid, sleep), lambda: "sleep")
    suite_process.kill_marked("a")
    assert marked.wait() == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()


def is_running(pid: int, program: str) -> bool:
    """Return whether a process has become this program, with its variables."""
    return os.path.samefile(f"/proc/{pid}/exe", program)


def test_a_suite_inherits_nothing_that_changes_its_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH", "DATABASE_URL", "BROKER_URL"):
        monkeypatch.setenv(name, "trap")
    env = suite_process.suite_env({"TMPDIR": "here"})
    assert "trap" not in env.values()
    assert env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"
    assert (env["TMPDIR"], env["PATH"]) == ("here", os.environ["PATH"])


# ---- Output ---------------------------------------------------------------------


def suite(name: str, *failures: str, passed: int = 2) -> SuiteResult:
    """Return a suite that took one second."""
    return SuiteResult(
        suite=name,
        passed=passed,
        failed=len(failures),
        seconds=1.0,
        failures=list(failures),
    )


def fault(name: str, *, lost: int = 0, left_out: str = "") -> FaultResult:
    """Return a fault under which 10 tasks were accepted."""
    return FaultResult(
        fault=name,
        accepted=10,
        lost=lost,
        doubled=1,
        seconds=0.5,
        left_out=left_out,
        trouble="",
        failed=bool(lost),
    )


def report(suites: list[SuiteResult], faults: list[FaultResult]) -> VerifyReport:
    """Return a report on the project `shop`."""
    return VerifyReport(
        project="shop", pattern=Pattern.SAFE, suites=suites, faults=faults, seed=7
    )


def test_kept_promises_are_shown_as_a_table() -> None:
    text = report_text(report([suite("attempts"), suite("task runs", passed=12)], []))
    assert text == (
        "shop, pattern safe\n\n"
        "suite      passed  failed  seconds\n"
        "attempts        2       0      1.0\n"
        "task runs      12       0      1.0\n"
        "all            14       0      2.0\n\n"
        "Every promise is kept."
    )


def test_faults_and_failures_are_shown() -> None:
    failures = [f"test_{n}\nError {n}" for n in range(5)]
    suites = [suite("attempts", *failures, "test_again\nError 0")]
    faults = [fault("kill -9", lost=3), fault("disk full", left_out="no disk")]
    text = report_text(report(suites, faults))
    assert text == (
        "shop, pattern safe\n\n"
        "suite     passed  failed  seconds\n"
        "attempts       2       6      1.0\n"
        "all            2       6      1.0\n\n"
        "Faults, seed 7\n\n"
        "fault                          accepted  lost  doubled\n"
        "kill -9                              10     3        1\n"
        "disk full (left out: no disk)         -     -        -\n\n"
        + "".join(f"FAILED attempts: test_{n}\nError {n}\n\n" for n in range(5))
        + "... and 1 more\n\n"
        "A promise is broken."
    )


def test_a_lost_task_breaks_a_promise() -> None:
    lost = report([suite("attempts")], [fault("kill -9", lost=1)])
    assert not lost.passed
    message = "FAILED kill -9: A task was lost or doubled."
    assert report_text(lost).endswith(f"{message}\n\nA promise is broken.")


def test_the_report_as_json_has_everything() -> None:
    given = report([suite("attempts")], [fault("kill -9")])
    assert json.loads(report_json(given)) == {
        "project": "shop",
        "pattern": "safe",
        "suites": [
            {
                "suite": "attempts",
                "passed": 2,
                "failed": 0,
                "seconds": 1.0,
                "failures": [],
            }
        ],
        "faults": [
            {
                "fault": "kill -9",
                "accepted": 10,
                "lost": 0,
                "doubled": 1,
                "seconds": 0.5,
                "left_out": "",
                "trouble": "",
                "failed": False,
            }
        ],
        "seed": 7,
        "passed": True,
    }


@pytest.mark.parametrize(("failures", "code"), [([], 0), (["test_a"], 1)])
def test_the_command_prints_the_report(
    failures: list[str], code: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = report([suite("attempts", *failures)], [])
    monkeypatch.setattr(command, "verify", lambda *_: done)
    shown = run("verify", "shop")
    assert (shown.code, shown.err) == (code, "")
    assert shown.out.rstrip("\n") == report_text(done).rstrip("\n")
