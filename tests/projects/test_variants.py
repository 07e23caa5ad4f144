"""Every variant: clean for all tools, and its own tests pass with its own packages.

A variant is a pattern with or without schedules and AI. The CI adds one file, and is
tested in tests/template. What all patterns share is tested under one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import helpers
from tests.projects.environments import EVERYTHING, InstalledEnvironment

Render = Callable[..., Path]
Features = dict[str, bool]
FEATURES = {
    "plain": {},
    "schedule": {"schedule": True},
    "ai": {"ai": True},
    "both": EVERYTHING,
}
each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)
with_features = pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)


@with_features
@each_pattern
def test_its_own_checks_and_tests_pass(
    pattern: str, features: Features, rendered: Render, newest: InstalledEnvironment
) -> None:
    project = rendered(pattern, **features)
    output = newest.run(project, "poe", "check")
    assert "All checks passed!" in output
    assert "already formatted" in output
    assert "Success: no issues found" in output
    newest.assert_every_test_passes(project)


@each_pattern
def test_pyright_finds_nothing(
    pattern: str, rendered: Render, newest: InstalledEnvironment
) -> None:
    project = rendered(pattern, **EVERYTHING)
    command = [sys.executable, "-m", "pyright", "--outputjson"]
    done = subprocess.run(
        [*command, "--pythonpath", str(newest.python(project))],
        cwd=project,
        env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["generalDiagnostics"] == []
    assert report["summary"]["filesAnalyzed"] > 10


def test_types_are_strict_in_the_project_only(
    rendered: Render, newest: InstalledEnvironment
) -> None:
    project = rendered("simple")
    loose = "def loose(value):\n    return value\n"
    (project / "afterward" / "loose.py").write_text(loose)
    newest.run(project, "poe", "check")
    (project / "app" / "loose.py").write_text(loose)
    with pytest.raises(AssertionError, match=r"app/loose.py:1: .*no-untyped-def"):
        newest.run(project, "mypy")


@with_features
def test_the_documentation_builds(
    features: Features, rendered: Render, newest: InstalledEnvironment
) -> None:
    newest.run(rendered("safe", **features), "mkdocs", "build", "--strict")


def test_its_tests_run_from_any_folder(
    rendered: Render, newest: InstalledEnvironment, tmp_path: Path
) -> None:
    project = rendered("celery")
    pytest_command = [str(newest.python(project)), "-m", "pytest", "-q"]
    (tmp_path / "elsewhere").mkdir()
    for folder, arguments in [
        (tmp_path / "elsewhere", [str(project)]),
        (project / "tests" / "signup", []),
    ]:
        done = subprocess.run(
            [*pytest_command, *arguments],
            cwd=folder,
            env=newest.variables(project),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
