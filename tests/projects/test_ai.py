"""Projects with AI: what they need beyond the tests of every variant."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bgscaffold.verify.suite.waiting import until
from tests.projects import environments, services
from tests.projects.environments import (
    Environment,
    Installation,
    InstalledEnvironment,
)

Render = Callable[..., Path]
INSIDE = Path(__file__).parent / "inside" / "ai"
EXTENSIONS = (
    "from app.documents.vectors import LOADS_EXTENSIONS; print(LOADS_EXTENSIONS)"
)


@pytest.fixture
def project(rendered: Render) -> Path:
    """Return a project with AI, and with the tests in `inside/` added to its own."""
    project = rendered("safe", ai=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(INSIDE, project / "tests" / "inside", ignore=unwanted)
    return project


def test_every_test_passes_on_sqlite(project: Path, newest: Environment) -> None:
    output = newest.run(project, "poe", "check")
    assert "Success: no issues found" in output
    newest.assert_every_test_passes(project)


def test_every_test_passes_on_postgresql(project: Path, newest: Environment) -> None:
    with services.pgvector() as server:
        newest.assert_every_test_passes(project, TEST_DATABASE_URL=server.url)
        server.assert_used()


def test_every_test_passes_with_the_lowest_versions(
    project: Path, lowest: Environment
) -> None:
    lowest.assert_every_test_passes(project)


def test_a_postgresql_without_pgvector_is_refused_with_the_remedy(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("safe", ai=True)
    message = "lacks the extension 'vector' .pgvector."
    with (
        services.postgres() as server,
        pytest.raises(AssertionError, match=message) as e,
    ):
        newest.run(project, "poe", "migrate", DATABASE_URL=server.url)
    assert "postgresql-<version>-pgvector" in str(e.value)


def test_sqlite_vec_is_used_if_sqlite_loads_extensions(
    rendered: Render, cache: Path
) -> None:
    python = environments.python_with_extensions(cache)
    if python is None:
        services.leave_out("a Python that lets SQLite load extensions")
    environment = InstalledEnvironment(cache, Installation(python=python))
    project = rendered("async", ai=True)
    output = environment.run(project, "python", "-c", EXTENSIONS)
    assert output.split()[-1] == "True"
    environment.run(project, "pytest", "tests/documents")


@pytest.mark.parametrize("pattern", ["simple", "safe"])
def test_a_document_becomes_searchable(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    with newest.dev(rendered(pattern, ai=True)) as dev:
        text = b"# Harbour\n\nThe lighthouse is of granite.\n"
        path = f"/documents/{dev.upload('harbour.md', text)}"
        until(
            lambda: dev.get(path)["state"] == "ready",
            lambda: f"{dev.get(path)}\n{dev.screen}",
        )
        [hit] = dev.get("/documents/search", q="what is the lighthouse built of?")
        passage = "Harbour\nThe lighthouse is of granite."
        assert (hit["name"], hit["text"]) == ("harbour.md", passage)
