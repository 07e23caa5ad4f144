"""What a fault works with: one copy of the project, its processes, its load."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random

from bgscaffold.verify.suite.faults.load import Load
from bgscaffold.verify.suite.faults.processes import Processes
from bgscaffold.verify.suite.faults.proxy import Proxy
from bgscaffold.verify.suite.faults.task_runs import TaskRuns
from bgscaffold.verify.suite.servers import Postgres, Server
from bgscaffold.verify.suite.waiting import until

TIMEOUT = 120.0  # seconds until everything accepted must be done
LEASE = 5  # TASK_LEASE of every project here


class LeftOutError(Exception):
    """This fault is not possible here; the text gives the reason."""


@dataclass
class Context:
    """A project under load, and the servers that it uses."""

    processes: Processes
    load: Load
    random: Random
    quick: bool
    task_runs: TaskRuns
    broker: Server | None  # None: embedded, or not ours to stop
    postgres: Postgres | None  # None: SQLite, or not ours to stop
    proxy: Proxy | None
    cleanup: ExitStack
    injected: int = 0
    expected_dead: set[str] = field(default_factory=set)
    recovered: float = 0
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The processes of the pattern."""
        return self.processes.project.processes

    @property
    def runner(self) -> str:
        """The process that runs tasks."""
        return self.names[-1]

    @property
    def rounds(self) -> range:
        """How often a fault is injected."""
        return range(2 if self.quick else 10)

    @property
    def own_broker(self) -> Server:
        """The broker, which the fault may stop.

        Raises:
            LeftOutError: The broker belongs to the user.
        """
        if self.broker is None:
            raise LeftOutError("it stops the broker, and --broker names one of yours")
        return self.broker

    @property
    def own_postgres(self) -> Postgres:
        """The PostgreSQL, which the fault may stop.

        Raises:
            LeftOutError: The PostgreSQL belongs to the user.
        """
        if self.postgres is None:
            raise LeftOutError("it stops PostgreSQL, and --database names one of yours")
        return self.postgres

    @property
    def both_urls(self) -> tuple[str, str]:
        """The addresses of two APIs."""
        return self.processes.url("api"), self.processes.url("api-2")

    def send(self, kind: str, *, seconds: float = 0) -> str:
        """Send one request that enqueues a task, and return the task's name."""
        return self.load.send(self.processes.post, kind, seconds)

    def send_many(self, number: int) -> None:
        """Send one request that enqueues many tasks."""
        self.load.send_many(self.processes.post, self.load.name(), number)

    def inject(self, fault: Callable[[], object]) -> None:
        """Do one harm, and count it."""
        fault()
        self.injected += 1

    def repeat(
        self,
        *harms: Callable[[], object],
        restart: Iterable[str],
        pause: tuple[float, float] = (0.3, 2),
    ) -> None:
        """Do these harms in every round, and restart what they have ended."""
        for _ in self.rounds:
            for harm in harms:
                self.inject(harm)
            self.processes.start(*restart)
            self.pass_time(*pause)

    def pass_time(self, shortest: float, longest: float) -> None:
        """Let the load run for a random time, so that a fault comes at any moment."""
        threading.Event().wait(self.random.uniform(shortest, longest))

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Start the pattern's processes, load them during the block, and recover."""
        self.processes.start(*self.names)
        with self.load.steady(self.processes.url()):
            self.pass_time(0.5, 1)
            yield
            self.pass_time(0.5, 1)
        self.recover()

    def recover(self, timeout: float = TIMEOUT) -> None:
        """Wait until all that was accepted is done, and no row is open.

        While no row is open, nothing can run twice.
        """
        start = time.monotonic()
        runs = self.task_runs
        until(lambda: not self.lost() or not runs.open(), self.state, timeout)
        self.recovered = time.monotonic() - start
        until(lambda: not runs.open(), self.state, timeout)
        assert not self.lost(), self.state()

    def expect_acceptance(self) -> None:
        """Wait until new requests are accepted."""
        enough = len(self.load.accepted) + 5
        until(
            lambda: len(self.load.accepted) >= enough, lambda: "requests accepted", 20
        )

    def catch_up(self) -> None:
        """Hold the load until few tasks are open."""
        self.load.holding = True
        until(lambda: self.load.open() < 10, self.state, TIMEOUT)
        self.load.holding = False

    def lost(self) -> set[str]:
        """Return what was accepted, should be done, and is not."""
        return self.load.lost() - self.expected_dead

    def state(self) -> str:
        """Describe what is open, for the report of a loss."""
        rows = self.task_runs.rows(
            "SELECT name, state, attempts, released, publishes, due_at,"
            " publish_again_at, arguments, error FROM task_runs"
            " WHERE state <> 'succeeded' ORDER BY due_at LIMIT 12"
        )
        title = f"{len(self.lost())} tasks; rows that have not succeeded:"
        return "\n".join([title, *map(str, rows)])

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Restart the runner whenever it has ended, as a supervisor does."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                if self.processes.has_ended(self.runner):
                    self.processes.begin(self.runner)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join(60)

    def received(self) -> int:
        """Return how many messages the worker has received, according to its log."""
        return self.processes.terminals["worker"].screen.count("] received")

    def wipe_broker(self) -> None:
        """Delete all messages of the project in the broker."""
        if self.broker and self.broker.wipe():
            return
        self.processes.run(*self.processes.project.celery("purge", "--force"))

    def restore(self) -> None:
        """Start whatever does not run."""
        for server in (self.broker, self.postgres):
            if server:
                server.start()
        running = self.processes.terminals
        gone = [
            name
            for name in self.names
            if name not in running or self.processes.has_ended(name)
        ]
        self.processes.start(*gone)
