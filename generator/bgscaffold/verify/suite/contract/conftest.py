"""The processes that the tests share, the choice of tests, and the report."""

import json
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from bgscaffold.verify.suite.contract.report import Report
from bgscaffold.verify.suite.contract.server import DOMAINS, Copy, Server
from bgscaffold.verify.suite.project import REPORT, VerifiedProject, from_variable


@cache
def verified_project() -> VerifiedProject:
    """Return the project that the command has passed on."""
    return from_variable()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what the pattern does not support, and put disrupting tests last."""
    capabilities = verified_project().capabilities
    chosen = [item for item in items if _applies(item, capabilities)]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = sorted(chosen, key=_is_disrupting)


def _applies(item: pytest.Item, capabilities: frozenset[str]) -> bool:
    needed = {name for mark in item.iter_markers("needs") for name in mark.args}
    unwanted = {name for mark in item.iter_markers("lacks") for name in mark.args}
    return needed <= capabilities and not unwanted & capabilities


def _is_disrupting(item: pytest.Item) -> bool:
    return item.get_closest_marker("disrupts") is not None


@pytest.fixture(scope="session")
def project() -> VerifiedProject:
    """Return the project under test."""
    return verified_project()


@pytest.fixture(scope="session")
def shared_server(
    project: VerifiedProject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Return the processes that all tests share, with the suite's domains."""
    domains = [DOMAINS / "bgscaffold_contract"]
    if project.has_workers:
        domains.append(DOMAINS / "bgscaffold_workers")
    if project.has_schedule:
        domains.append(DOMAINS / "bgscaffold_schedule")
    folder = tmp_path_factory.mktemp("server") / "project"
    with Server(project, folder, *domains) as server:
        server.migrate()
        server.start()
        assert server.post("/bgscaffold-contract/tables").status_code == 204
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Return the processes, all of them ready."""
    shared_server.start()
    return shared_server


@pytest.fixture
def copy(project: VerifiedProject, tmp_path: Path) -> Iterator[Copy]:
    """Return a function that makes another copy of the project."""
    numbers = count()
    with ExitStack() as stack:

        def make(*domains: Path) -> Server:
            folder = tmp_path / str(next(numbers))
            return stack.enter_context(Server(project, folder, *domains))

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of the processes to the report of a test that fails."""
    report = yield
    server = getattr(item, "funcargs", {}).get("shared_server")
    if report.failed and server:
        for name in server.processes:
            report.sections.append((f"log of {name}", server.log(name)[-3000:]))
    return report


counted = Report()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test."""
    counted.add(report)


def pytest_sessionfinish() -> None:
    """Write the report of the command."""
    if file := os.environ.get(REPORT):
        Path(file).write_text(json.dumps(counted.as_dicts()))
