"""Projects with AI: what they need beyond what every variant is put through in test_variants.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import helpers
from tests.projects import environments, services
from tests.projects.environments import Environment
from tests.projects.terminal import until

Render = Callable[..., Path]
EXTENSIONS = "from app.documents.vectors import LOADS_EXTENSIONS; print(LOADS_EXTENSIONS)"


def test_its_own_tests_pass_on_postgresql(rendered: Render, newest: Environment) -> None:
    with services.pgvector() as server:
        newest.assert_every_test_passes(rendered("safe", ai=True), TEST_DATABASE_URL=server.url)
        server.assert_used()


def test_a_postgresql_without_pgvector_is_refused_with_the_remedy(
    rendered: Render, newest: Environment
) -> None:
    with (
        services.postgres() as server,
        pytest.raises(AssertionError, match="lacks the extension 'vector' .pgvector.") as refusal,
    ):
        newest.run(rendered("safe", ai=True), "poe", "migrate", DATABASE_URL=server.url)
    assert "postgresql-<version>-pgvector" in str(refusal.value)


def test_its_own_tests_pass_with_the_lowest_versions(rendered: Render, lowest: Environment) -> None:
    lowest.assert_every_test_passes(rendered("celery", ai=True))


def test_it_imports_with_what_it_declares(rendered: Render, bare: Environment) -> None:
    project = rendered("simple", ai=True)
    bare.uv(project, "sync", "--no-dev")
    bare.run(project, "--no-sync", "python", "-c", "import app.main", ENVIRONMENT="development")


def test_where_sqlite_loads_extensions_it_computes_with_sqlite_vec(
    rendered: Render, cache: Path
) -> None:
    python = environments.python_with_extensions(cache)
    if python is None:
        services.leave_out("a Python that lets SQLite load extensions")
    environment = environments.shared(cache, "highest", python)
    project = rendered("async", ai=True)
    assert environment.run(project, "python", "-c", EXTENSIONS).split()[-1] == "True"
    environment.run(project, "pytest", "tests/documents")


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_dev_makes_a_document_searchable(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    with newest.dev(rendered(pattern, ai=True)) as dev:
        document_id = dev.upload("harbour.md", b"# Harbour\n\nThe lighthouse is of granite.\n")
        path = f"/documents/{document_id}"
        until(lambda: dev.get(path)["state"] == "ready", lambda: f"{dev.get(path)}\n{dev.screen}")
        [found] = dev.get("/documents/search", q="what is the lighthouse built of?")
        assert (found["name"], found["text"]) == (
            "harbour.md",
            "Harbour\nThe lighthouse is of granite.",
        )
