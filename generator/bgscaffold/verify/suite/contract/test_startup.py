"""Startup: a mistake in a domain stops it, with a message that names the remedy."""

import re
from pathlib import Path

import pytest

from bgscaffold.verify.suite.contract.server import Copy, Server

RETRIES = """\
from afterward import task

@task("bgscaffold_broken.work", retries=5)
def work() -> None: ...
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a domain package that a test fills with a mistake."""
    domain = tmp_path / "bgscaffold_broken"
    domain.mkdir()
    (domain / "__init__.py").touch()
    return domain


def test_a_domain_without_a_router_is_named(copy: Copy, broken: Path) -> None:
    (broken / "router.py").write_text("routes = []\n")
    server = copy(broken)
    file = server.folder / server.project.package / "bgscaffold_broken" / "router.py"
    message = f"{file} must define router = APIRouter(), found None."
    assert error_of_start(server) == f"TypeError: {message}"


@pytest.mark.lacks("retries")
def test_an_option_that_the_pattern_lacks_is_named(copy: Copy, broken: Path) -> None:
    (broken / "tasks.py").write_text(RETRIES)
    server = copy(broken)
    server.migrate()
    assert error_of_start(server) == (
        "afterward.errors.StartupError: Task 'bgscaffold_broken.work' declares"
        f" retries=5, which pattern '{server.project.pattern}' does not support."
        " Remove it, or run: bgscaffold promote safe"
    )


def error_of_start(server: Server) -> str:
    """Start the API, which fails, and return the error that it prints last."""
    done = server.run_command("api")
    assert done.returncode != 0
    errors = re.findall(r"\S*Error: .*", done.stderr)
    return str(errors[-1])
