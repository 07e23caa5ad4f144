"""The durable patterns on real servers: the settings change, the project does not.

`bgscaffold verify` proves the promises on these servers, in test_verify.py.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bgscaffold.verify.suite import servers
from tests.projects import services
from tests.projects.environments import Environment
from tests.projects.services import Service
from tests.projects.test_dev import assert_ctrl_c_ends_it, assert_tasks_succeed

Render = Callable[..., Path]
START = {
    "redis": ("BROKER_URL", services.redis),
    "rabbitmq": ("BROKER_URL", services.rabbitmq),
    "postgres": ("DATABASE_URL", services.postgres),
}
Started = dict[str, Service]


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    """Start servers, and return them by the setting of each."""
    with ExitStack() as stack:
        wanted = [START[name] for name in request.param.split(" and ")]
        yield {setting: stack.enter_context(start()) for setting, start in wanted}


def urls(started: Started, prefix: str = "") -> dict[str, str]:
    """Return the settings of these servers."""
    return {f"{prefix}{setting}": service.url for setting, service in started.items()}


def on_servers(*cases: tuple[str, str]) -> pytest.MarkDecorator:
    """Run a test for each pattern and its servers."""
    return pytest.mark.parametrize(("pattern", "started"), cases, indirect=["started"])


@on_servers(("celery", "redis and postgres"))
def test_its_own_tests_pass_on(
    pattern: str, started: Started, rendered: Render, newest: Environment
) -> None:
    newest.assert_every_test_passes(rendered(pattern), **urls(started, "TEST_"))
    for service in started.values():
        service.assert_used()


@on_servers(("celery", "rabbitmq and postgres"), ("safe", "postgres"))
def test_dev_runs_on(
    pattern: str, started: Started, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern)
    newest.run(project, "poe", "migrate", **urls(started))
    with newest.dev(project, **urls(started)) as dev:
        assert_tasks_succeed(dev, pattern)
        assert_ctrl_c_ends_it(dev)
    for service in started.values():
        service.assert_used()
    embedded = {"app.db", "broker.db"}
    assert not embedded & {file.name for file in project.glob("var/*")}


def test_a_missing_program_is_named_and_its_tests_are_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "FOLDERS", [])
    monkeypatch.delenv("DEMAND_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not installed: redis-server"):
        services.redis().__enter__()
    monkeypatch.setenv("DEMAND_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="not installed: initdb, postgres"):
        services.postgres().__enter__()
