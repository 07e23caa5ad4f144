"""Containers, CI and settings of the rendered projects, read without running them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import helpers
from tests.template.conftest import Rendered

each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)
with_and_without_features = pytest.mark.parametrize("features", [False, True])


def compose(project: Path) -> dict[str, Any]:
    """Return the content of compose.yaml."""
    content = yaml.safe_load((project / "compose.yaml").read_text())
    assert isinstance(content, dict)
    return content


@with_and_without_features
@each_pattern
def test_containers_get_every_setting_and_share_files(
    pattern: str, features: bool, rendered: Rendered
) -> None:
    services = compose(rendered(pattern, ai=features))["services"]
    built = {k: v for k, v in services.items() if "build" in v and k != "migrate"}
    expected = {"api", "worker", "beat"} if pattern == "celery" else {"api"}
    assert built.keys() == expected
    for service in built.values():
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert service["environment"]["ENVIRONMENT"] == "production"
    for name in built.keys() - {"beat"}:  # beat writes a file of its own
        assert built[name]["volumes"] == ["var:/srv/var"]


def test_every_container_of_celery_is_checked(rendered: Rendered) -> None:
    services = compose(rendered("celery"))["services"]
    assert services.keys() - {"api"} == {
        name for name, service in services.items() if "healthcheck" in service
    }  # the image checks the API


@pytest.mark.parametrize(
    ("ai", "image"), [(False, "postgres:17"), (True, "pgvector/pgvector:pg17")]
)
def test_the_database_has_what_the_migrations_need(
    ai: bool, image: str, rendered: Rendered
) -> None:
    services = compose(rendered("celery", ai=ai))["services"]
    assert services["database"]["image"] == image


def test_commands_of_containers_are_those_of_poe(rendered: Rendered) -> None:
    project = rendered("celery")
    poe = (project / "pyproject.toml").read_text()
    services = compose(project)["services"]
    for name in ("worker", "beat", "migrate"):
        words = [word for word in services[name]["command"] if word in poe]
        assert words == services[name]["command"]


def test_the_image_has_the_code_that_it_runs(rendered: Rendered) -> None:
    project = rendered("simple")
    copied = re.findall(
        r"^COPY (\S+) \1$", (project / "Dockerfile").read_text(), re.MULTILINE
    )
    assert copied == ["afterward", "app"]
    ignored = (project / ".dockerignore").read_text().splitlines()
    assert {f"!{folder}" for folder in copied} <= set(ignored)


@each_pattern
def test_the_ci_adds_its_file_and_changes_nothing_else(
    pattern: str, rendered: Rendered
) -> None:
    files = {
        "github": {".github/workflows/ci.yml"},
        "gitlab": {".gitlab-ci.yml"},
        "none": set(),
    }
    trees = {ci: without_answers(rendered(pattern, ci)) for ci in helpers.CIS}
    plain = trees["none"]
    for ci, tree in trees.items():
        assert tree.keys() - plain.keys() == files[ci]
        assert {path: tree[path] for path in plain} == plain


def without_answers(project: Path) -> dict[str, bytes]:
    """Return the files of a project, except the record of its answers."""
    tree = helpers.tree(project)
    return {path: tree[path] for path in tree if path != ".copier-answers.yml"}


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@each_pattern
def test_the_ci_checks_and_tests_on_the_servers_of_production(
    pattern: str, ci: str, rendered: Rendered
) -> None:
    file = ".github/workflows/ci.yml" if ci == "github" else ".gitlab-ci.yml"
    text = (rendered(pattern, ci) / file).read_text()
    content = yaml.safe_load(text)
    section = content["jobs"]["ci"] if ci == "github" else content["ci"]
    for command in ("uv sync", "uv run poe check", "uv run poe test"):
        assert command in text
    variables = section["env" if ci == "github" else "variables"]
    servers = {name for name in variables if name.startswith("TEST_")}
    expected = (
        {"TEST_BROKER_URL", "TEST_DATABASE_URL"} if pattern == "celery" else set()
    )
    assert servers == expected
    assert ("services" in section) == (pattern == "celery")


# Settings that .env.example leaves out if the pattern or the feature is missing.
OUTBOX = ("RETRIES", "BACKOFF", "LEASE", "SWEEP", "RETENTION")
DURABLE = {f"TASK_{name}" for name in OUTBOX}
CELERY = {"BROKER_URL", "TASK_QUEUE", "PUBLISH_WINDOW", "WORKER_METRICS_PORT"}
SCHEDULE = {"SCHEDULE_TIMEZONE", "SCHEDULE_GRACE", "SCHEDULE_TASKS"}


@with_and_without_features
@each_pattern
def test_the_example_of_settings_names_them_all(
    pattern: str, features: bool, rendered: Rendered
) -> None:
    project = rendered(pattern, schedule=features, ai=features)
    text = (project / ".env.example").read_text()
    named = re.findall(r"^# (\w+)=", text, re.MULTILINE)
    files = [*project.glob("app/**/*.py"), project / "afterward/settings.py"]
    declared = {name for file in files for name in settings(file)}
    left_out: set[str] = set()
    if pattern in ("simple", "async"):
        left_out |= DURABLE
    if pattern != "celery":
        left_out |= CELERY
    if not features:
        left_out |= SCHEDULE
    assert sorted(named) == sorted(declared - left_out)


def settings(file: Path) -> Iterator[str]:
    """Yield the variables that the settings of a file are read from."""
    statements = ast.parse(file.read_text()).body
    for found in [each for each in statements if isinstance(each, ast.ClassDef)]:
        if "BaseSettings" in map(ast.unparse, found.bases):
            fields = [n.target for n in found.body if isinstance(n, ast.AnnAssign)]
            yield from (ast.unparse(field).upper() for field in fields)
