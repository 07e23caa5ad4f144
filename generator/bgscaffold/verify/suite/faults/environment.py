"""The servers of one combination, and a copy of the project for each fault."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bgscaffold.verify.suite.faults.context import LEASE, Context
from bgscaffold.verify.suite.faults.load import Load
from bgscaffold.verify.suite.faults.processes import Processes
from bgscaffold.verify.suite.faults.proxy import Proxy
from bgscaffold.verify.suite.faults.registry import Combination, Fault
from bgscaffold.verify.suite.faults.task_runs import TaskRuns
from bgscaffold.verify.suite.project import VerifiedProject
from bgscaffold.verify.suite.servers import Postgres, Server, free_port

DOMAIN = Path(__file__).parent / "bgscaffold_faults"
APIS = ("api", "api-2", "dev")


@dataclass(frozen=True)
class OwnServers:
    """Servers that a fault may stop. Those that the user names are not among them."""

    broker: Server | None = None
    postgres: Postgres | None = None

    def running(self) -> list[Server]:
        """Start those that do not run, and return them all."""
        servers = [server for server in (self.broker, self.postgres) if server]
        for server in servers:
            server.start()
        return servers


@dataclass(frozen=True)
class Environment:
    """What all faults of one combination share."""

    on: Combination
    project: VerifiedProject
    folder: Path
    servers: OwnServers
    seed: int
    quick: bool

    @contextmanager
    def context(self, fault: Fault) -> Iterator[Context]:
        """Give a fault a copy of the project, and end its processes afterwards."""
        self.servers.running()
        copy = self.folder / f"{fault.name}-{free_port()}"
        self.project.copy_to(copy, DOMAIN)
        log = self.folder / f"{copy.name}.log"
        with ExitStack() as cleanup:
            server = self.project.database_server
            task_runs = cleanup.enter_context(TaskRuns(copy, server))
            proxy = self._proxy(fault, cleanup)
            env = self._variables(task_runs, copy, log, proxy) | fault.env
            ports = {name: free_port() for name in APIS}
            processes = Processes(self.project, copy, env, ports)
            cleanup.callback(processes.close)
            if not task_runs.is_sqlite:
                processes.run("alembic", "upgrade", "head")
            yield Context(
                processes=processes,
                load=Load(log, self.seed),
                random=Random(self.seed),
                quick=self.quick,
                task_runs=task_runs,
                broker=self.servers.broker,
                postgres=self.servers.postgres,
                proxy=proxy,
                cleanup=cleanup,
            )
            self.servers.running()  # the database is dropped
            if not self.servers.broker:
                self.project.delete_queues(copy, env, env["TASK_QUEUE"])

    def _proxy(self, fault: Fault, cleanup: ExitStack) -> Proxy | None:
        if not fault.proxied or not self.servers.broker:
            return None
        return cleanup.enter_context(closing(Proxy(self.servers.broker.port)))

    def _variables(
        self, task_runs: TaskRuns, copy: Path, log: Path, proxy: Proxy | None
    ) -> dict[str, str]:
        env = self.project.environment(task_runs, queue=copy.name)
        broker = self.servers.broker
        if proxy and broker:
            url = broker.url.replace(f":{broker.port}", f":{proxy.port}")
            env["BROKER_URL"] = url
        return env | {
            "FAULTS_LOG": str(log),
            "SHUTDOWN_GRACE": "5",
            "TASK_LEASE": str(LEASE),
            "TASK_SWEEP": "0.5",
            "TMPDIR": str(self.folder),
        }
