"""Renders a project for a fault, adds the domain, and runs the servers that it needs."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random
from typing import Self

from tests import helpers
from tests.faults.bench import LEASE, Bench
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.registry import Combination, Fault
from tests.faults.servers import Postgres, Rabbitmq, Redis, Server
from tests.faults.stack import Stack
from tests.faults.task_table import TaskTable
from tests.projects import services
from tests.projects.environments import Environment

DOMAIN = Path(__file__).parent / "domain"
APIS = ("api", "api-2", "dev")


class House:
    """The servers of one combination; they outlive its faults."""

    def __init__(self, on: Combination, folder: Path, environment: Environment) -> None:
        self.on = on
        self.folder = folder
        self.environment = environment
        self._servers = ExitStack()
        self.broker: Redis | Rabbitmq | None = None
        self.postgres: Postgres | None = None

    def __enter__(self) -> Self:
        if self.on.pattern == "celery" and self.on.broker == "redis":
            self.broker = Redis(self._subfolder("redis"))
        if self.on.pattern == "celery" and self.on.broker == "rabbitmq":
            self.broker = Rabbitmq(self._subfolder("rabbitmq"))
            self._servers.callback(self.broker.close)
        if self.on.database == "postgresql":
            self.postgres = Postgres(self._subfolder("postgres"))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._all():
            server.stop()
        self._servers.close()

    def _all(self) -> list[Server]:
        return [server for server in (self.broker, self.postgres) if server]

    def _subfolder(self, name: str) -> Path:
        # Its name becomes that of RabbitMQ's node; PostgreSQL enters it as another user.
        folder = self.folder / f"faults-{name}-{services.free_port()}"
        folder.mkdir()
        return folder

    @contextmanager
    def bench(self, fault: Fault, number: int, seed: int, quick: bool) -> Iterator[Bench]:
        """Give a fault a project of its own, and end its processes when it is over."""
        for server in self._all():
            server.start()
        project = self._render(f"{fault.name}-{number}")
        with ExitStack() as stack:
            proxy = None
            if fault.proxied and self.broker:
                proxy = stack.enter_context(closing(Proxy(self.broker.port)))
            database = "sqlite:///var/app.db"
            if self.postgres:
                database = self.postgres.create(f"{fault.name}_{number}")
            log = self.folder / f"{project.name}.log"
            processes = self._stack(project, database, log, proxy, fault)
            stack.callback(processes.close)
            if self.postgres:
                self.environment.run(project, "poe", "migrate", DATABASE_URL=database)
            yield Bench(
                pattern=self.on.pattern,
                stack=processes,
                load=Load(log, seed),
                random=Random(seed),
                quick=quick,
                table=TaskTable(database, project / "var" / "app.db"),
                broker=self.broker,
                postgres=self.postgres,
                proxy=proxy,
                servers=stack,
            )

    def _render(self, name: str) -> Path:
        project = helpers.render(self.on.pattern, "none", self.folder / name, project_name="faults")
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(DOMAIN, project / "app" / "faults", ignore=ignore)
        (project / "var").mkdir(exist_ok=True)
        return project

    def _stack(
        self, project: Path, database: str, log: Path, proxy: Proxy | None, fault: Fault
    ) -> Stack:
        env = self.environment.variables | {
            "ENVIRONMENT": "development",
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": database,
            "FAULTS_LOG": str(log),
            "SHUTDOWN_GRACE": "5",
            "TASK_LEASE": str(LEASE),
            "TASK_SWEEP": "0.5",
            "TASK_QUEUE": project.name,
        }
        if self.broker:
            target = proxy.port if proxy else self.broker.port
            env["BROKER_URL"] = self.broker.url.replace(f":{self.broker.port}", f":{target}")
        return Stack(project, env | fault.env, {name: services.free_port() for name in APIS})
