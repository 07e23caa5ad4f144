"""Every variant, as it comes out of the generator.

A variant is a pattern, a choice of CI, whether tasks run by the clock, and whether there is AI. The CI
adds a file and changes nothing else, which is shown first; so what is slow is done once for each of
the others.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import helpers
from tests.projects.environments import EVERYTHING, Environment

Render = Callable[..., Path]
Extras = dict[str, bool]
each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)
EXTRAS = {"plain": {}, "schedule": {"schedule": True}, "ai": {"ai": True}, "both": EVERYTHING}
with_and_without = pytest.mark.parametrize("extras", EXTRAS.values(), ids=EXTRAS)
CI_FILES = {"github": {".github/workflows/ci.yml"}, "gitlab": {".gitlab-ci.yml"}, "none": set()}


@each_pattern
def test_the_ci_adds_its_file_and_changes_nothing_else(pattern: str, rendered: Render) -> None:
    trees = {ci: tree(rendered(pattern, ci)) for ci in helpers.CIS}
    for ci, files in CI_FILES.items():
        assert trees[ci].keys() - trees["none"].keys() == files
        assert {path: trees[ci][path] for path in trees["none"]} == trees["none"]


def tree(project: Path) -> dict[str, bytes]:
    """Return a project's files, without the answers' record of the choice itself."""
    files = helpers.tree(project)
    answers = files[".copier-answers.yml"].splitlines(keepends=True)
    neutral = [line for line in answers if not line.startswith(b"ci:")]
    return files | {".copier-answers.yml": b"".join(neutral)}


@with_and_without
@each_pattern
def test_ruffs_default_rules_find_nothing(
    pattern: str, extras: Extras, rendered: Render, newest: Environment
) -> None:
    newest.run(rendered(pattern, **extras), "ruff", "check", "--isolated")


@with_and_without
@each_pattern
def test_lint_and_formatting_and_types_find_nothing_and_types_are_strict(
    pattern: str, extras: Extras, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern, **extras)
    said = newest.run(project, "poe", "check")
    assert "All checks passed!" in said
    assert "already formatted" in said
    assert "Success: no issues found" in said
    (project / "app" / "loose.py").write_text("def loose(value):\n    return value\n")
    with pytest.raises(AssertionError, match="no-untyped-def"):
        newest.run(project, "mypy")


@with_and_without
@each_pattern
def test_the_documentation_builds(
    pattern: str, extras: Extras, rendered: Render, newest: Environment
) -> None:
    newest.run(rendered(pattern, **extras), "mkdocs", "build", "--strict")


@with_and_without
@each_pattern
def test_its_own_tests_pass(
    pattern: str, extras: Extras, rendered: Render, newest: Environment
) -> None:
    newest.assert_every_test_passes(rendered(pattern, **extras))


@pytest.mark.parametrize(("pattern", "number"), [("safe", 4), ("celery", 6)])
def test_its_own_faults_lose_nothing(
    pattern: str, number: int, rendered: Render, newest: Environment
) -> None:
    said = newest.run(rendered(pattern), "poe", "faults")
    assert re.search(rf"^=* *{number} passed, ", said, re.MULTILINE), said
