"""`bgscaffold verify`: runs the contract and fault suites against a project."""

import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.project.answers import read_answers
from bgscaffold.project.project import find_root
from bgscaffold.system.console import echo
from bgscaffold.verify.environment import (
    ProjectEnvironment,
    project_environment,
    require_extra,
)
from bgscaffold.verify.errors import (
    EnvFileError,
    NoBrokerError,
    NotDurableError,
    PlatformError,
    ServerUrlError,
    SuiteError,
)
from bgscaffold.verify.project_copy import copy_project
from bgscaffold.verify.suite_process import PROC, run_suite

CONTRACT = Path(__file__).with_name("suite") / "contract"
DATABASE_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps", "pyamqp")
MAX_REASON = 2_000  # characters of a suite's output in an error


@dataclass(frozen=True)
class VerifyOptions:
    """What the command line asks for."""

    faults: bool = False
    quick: bool = False
    seed: int | None = None
    database: str = ""
    broker: str = ""
    env_file: str = ""


@dataclass(frozen=True)
class SuiteResult:
    """The tests of one module of the contract suite."""

    suite: str
    passed: int
    failed: int
    seconds: float
    failures: list[str]


@dataclass(frozen=True)
class FaultResult:
    """The outcome of one fault."""

    fault: str
    accepted: int
    lost: int
    doubled: int
    seconds: float
    left_out: str
    trouble: str
    failed: bool


@dataclass(frozen=True)
class VerifyReport:
    """What the suites have found."""

    project: str
    pattern: Pattern
    suites: list[SuiteResult]
    faults: list[FaultResult]
    seed: int

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        suites = not any(suite.failed for suite in self.suites)
        return suites and not any(fault.failed for fault in self.faults)


@dataclass(frozen=True)
class Run:
    """What both suites need: the copy of the project, and a folder for their output."""

    source: Path
    folder: Path
    pattern: Pattern
    environment: ProjectEnvironment
    options: VerifyOptions
    mark: str

    def variables(self, report: Path) -> dict[str, str]:
        """Return the variables that tell a suite what to run against."""
        setup = {
            "source": self.source,
            "python": self.environment.python,
            "pattern": self.pattern,
            "database_server": self.options.database,
            "broker": self.options.broker,
            "has_schedule": self.environment.has_schedule,
            "mark": self.mark,
        }
        return {
            "BGSCAFFOLD_VERIFY_SETUP": json.dumps(setup, default=str),
            "BGSCAFFOLD_VERIFY_REPORT": str(report),
            "TMPDIR": str(self.folder),
        }

    def results(self, name: str, arguments: list[str]) -> list[dict[str, Any]]:
        """Run a suite, and return its report."""
        echo(f"Running the {name} suite ...", to_stderr=True)
        report, log = self.folder / f"{name}.json", self.folder / f"{name}.log"
        code = run_suite(arguments, self.variables(report), log, self.mark)
        if not report.is_file():
            printed = log.read_text(errors="replace").strip()
            reason = printed[-MAX_REASON:] or f"exit code {code}"
            raise SuiteError(name, reason)
        results: list[dict[str, Any]] = json.loads(report.read_text())
        return results


def verify(path: str, options: VerifyOptions) -> VerifyReport:
    """Run the suites against a copy of the project around a folder."""
    root = find_root(path)
    pattern = read_answers(root).pattern
    check_options(options, pattern)
    require_extra()
    environment = project_environment(root)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    prefix = "bgscaffold-verify-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        run = Run(
            source=Path(name, "project"),
            folder=Path(name),
            pattern=pattern,
            environment=environment,
            options=options,
            mark=secrets.token_hex(),
        )
        copy_project(root, run.source)
        copy_env_file(options.env_file, run.source)
        suites = [SuiteResult(**suite) for suite in run.results(*contract(run))]
        faults = run.results(*fault_suite(options, seed)) if options.faults else []
    return VerifyReport(
        project=root.name,
        pattern=pattern,
        suites=suites,
        faults=[FaultResult(**fault) for fault in faults],
        seed=seed,
    )


def check_options(options: VerifyOptions, pattern: Pattern) -> None:
    """Refuse options that cannot be used together, or with this pattern."""
    check_url(options.database, DATABASE_SCHEMES)
    check_url(options.broker, BROKER_SCHEMES)
    record = RECORDS[pattern]
    if options.broker and "queue" not in record.supports:
        raise NoBrokerError(pattern)
    if options.faults and not record.durable:
        raise NotDurableError(pattern)
    if options.faults and not (PROC.is_dir() and shutil.which("setsid")):
        raise PlatformError("--faults", "it needs /proc and setsid")
    if options.env_file and not os.path.isfile(options.env_file):
        raise EnvFileError(options.env_file)


def check_url(url: str, schemes: tuple[str, ...]) -> None:
    """Refuse a URL of another kind, without its password in the message."""
    scheme, separator, _rest = url.partition("://")
    if url and not (separator and scheme in schemes):
        raise ServerUrlError(f"{scheme}://..." if separator else "a URL without ://")


def copy_env_file(file: str, source: Path) -> None:
    """Copy the settings that the project requires to where it looks for them.

    The servers' own variables win over them, so they cannot name a database or broker.
    """
    if file:
        shutil.copyfile(file, source / ".env")


def contract(run: Run) -> tuple[str, list[str]]:
    """Return the name and the command of the contract suite."""
    configuration = ["-c", str(CONTRACT / "pytest.ini"), f"--rootdir={CONTRACT}"]
    output = ["--tb=short", "-q", f"--basetemp={run.folder / 'contract'}"]
    return "contract", ["pytest", *configuration, *output, str(CONTRACT)]


def fault_suite(options: VerifyOptions, seed: int) -> tuple[str, list[str]]:
    """Return the name and the command of the fault suite."""
    quick = ["--quick"] if options.quick else []
    return "faults", ["bgscaffold.verify.suite.faults", f"--seed={seed}", *quick]
