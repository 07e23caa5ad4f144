"""Projects with AI: what they need beyond what every variant is put through in test_variants.py."""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
import yaml

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects import environments, services
from tests.projects.environments import EVERYTHING, Environment

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


each_variant = pytest.mark.parametrize(
    ("pattern", "extras"), [*product(helpers.PATTERNS, [{}, EVERYTHING])]
)


@pytest.mark.parametrize("ai", [False, True])
@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_containers_get_every_setting_and_see_each_others_files(
    pattern: str, ai: bool, rendered: Render
) -> None:
    compose = yaml.safe_load((rendered(pattern, ai=ai) / "compose.yaml").read_text())
    built = {k: v for k, v in compose["services"].items() if "build" in v and k != "migrate"}
    assert built.keys() == {"api", "worker", "beat"} if pattern == "celery" else {"api"}
    for service in built.values():
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert service["environment"]["ENVIRONMENT"] == "production"
    for name in built.keys() - {"beat"}:  # its file is its own
        assert built[name]["volumes"] == ["var:/srv/var"]
    assert "var" in compose["volumes"]


@pytest.mark.parametrize(
    ("ai", "image"), [(False, "postgres:17"), (True, "pgvector/pgvector:pg17")]
)
def test_the_database_of_the_containers_has_what_the_migrations_need(
    ai: bool, image: str, rendered: Render
) -> None:
    compose = yaml.safe_load((rendered("celery", ai=ai) / "compose.yaml").read_text())
    assert compose["services"]["database"]["image"] == image


@each_variant
def test_the_example_of_settings_names_them_all(
    pattern: str, extras: dict[str, bool], rendered: Render
) -> None:
    project = rendered(pattern, **extras)
    named = re.findall(r"^# (\w+)=", (project / ".env.example").read_text(), re.MULTILINE)
    declared = [name for file in project.glob("app/**/*.py") for name in settings(file)]
    assert sorted(named) == sorted(declared)


def settings(file: Path) -> Iterator[str]:
    """Give the variables that the settings of a file are read from."""
    classes = [each for each in ast.parse(file.read_text()).body if isinstance(each, ast.ClassDef)]
    for found in classes:
        if "BaseSettings" in map(ast.unparse, found.bases):
            fields = [line.target for line in found.body if isinstance(line, ast.AnnAssign)]
            yield from (ast.unparse(field).upper() for field in fields)


@each_variant
def test_every_folder_is_in_the_readme_and_every_page_is_linked(
    pattern: str, extras: dict[str, bool], rendered: Render
) -> None:
    project = rendered(pattern, **extras)
    readme = (project / "README.md").read_text()
    folders = {path.name for path in (project / "app").iterdir() if path.is_dir()}
    assert {name for name in folders if f"\n  {name}/ " in readme} == folders
    pages = {path.name for path in (project / "docs").iterdir()} - {"index.md"}
    index = (project / "docs" / "index.md").read_text()
    assert set(re.findall(r"^- \[.*?\]\((.*?)\)", index, re.MULTILINE)) == pages
    assert ("docs/documents.md" in readme) == bool(extras)
