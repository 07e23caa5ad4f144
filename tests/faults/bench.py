"""What a fault works with: one freshly rendered project, its processes, its load."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.servers import Server
from tests.faults.stack import Stack
from tests.faults.task_table import TaskTable
from tests.projects.terminal import until

PATIENCE = 120.0  # seconds until everything accepted must be done
LEASE = 5  # TASK_LEASE of every project here


class LeftOut(Exception):
    """This machine cannot do this fault; the text says why."""


@dataclass
class Bench:
    """A project under load, and the servers that it uses."""

    pattern: str
    stack: Stack
    load: Load
    random: Random
    quick: bool
    table: TaskTable
    broker: Server | None
    postgres: Server | None
    proxy: Proxy | None
    servers: ExitStack
    injected: int = 0
    accepted_but: set[str] = field(default_factory=set)  # tasks that are meant to die
    recovered: float = 0
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The processes of the pattern."""
        return ("api", "worker") if self.pattern == "celery" else ("api",)

    @property
    def runner(self) -> str:
        """The process that runs tasks."""
        return self.names[-1]

    @property
    def rounds(self) -> range:
        """How often a fault is injected."""
        return range(2 if self.quick else 10)

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
        """Do these harms in every round, and start again what they have ended."""
        for _ in self.rounds:
            for harm in harms:
                self.inject(harm)
            self.stack.start(*restart)
            self.pass_time(*pause)

    def pass_time(self, shortest: float, longest: float) -> None:
        """Let the load run for a random time: the moment of a fault must not be a chosen one."""
        threading.Event().wait(self.random.uniform(shortest, longest))

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Start what the pattern needs, load it as long as the block lasts, wait for the rest."""
        self.stack.start(*self.names)
        with self.load.steady(self.stack.url()):
            self.pass_time(0.5, 1)
            yield
            self.pass_time(0.5, 1)
        self.recover()

    def recover(self, patience: float = PATIENCE) -> None:
        """Wait until all that was accepted is done and no row is open: nothing can double then."""
        start = time.monotonic()
        until(lambda: not self.lost() or not self.table.open(), self.state, patience)
        self.recovered = time.monotonic() - start
        until(lambda: not self.table.open(), self.state, patience)
        assert not self.lost(), self.state()

    def expect_acceptance(self) -> None:
        """Wait until requests are accepted, now."""
        before = len(self.load.accepted)
        until(lambda: len(self.load.accepted) > before + 4, lambda: "requests accepted", 20)

    def catch_up(self) -> None:
        """Hold the load until few tasks are open."""
        self.load.holding = True
        until(lambda: self.load.open() < 10, self.state, PATIENCE)
        self.load.holding = False

    def lost(self) -> set[str]:
        """Return what was accepted, should be done, and is not."""
        return self.load.lost() - self.accepted_but

    def state(self) -> str:
        """Say what is open, for the report of a loss."""
        rows = self.table.rows(
            "SELECT name, state, attempts, released, publishes, due_at, publish_again_at,"
            " arguments, error FROM task_runs WHERE state <> 'succeeded' ORDER BY due_at LIMIT 12"
        )
        return "\n".join([f"{len(self.lost())} tasks; rows not succeeded:", *map(str, rows)])

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Start the runner again whenever it has ended, as a supervisor does."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                if self.stack.ended(self.runner):
                    self.stack.begin(self.runner)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join(60)

    def received(self) -> int:
        """Return how many messages the worker has taken, which its log says of each."""
        return self.stack.terminals["worker"].screen.count("] received")

    def wipe_broker(self) -> None:
        """Throw away all messages that stand in the broker."""
        if self.broker and self.broker.wipe():
            return
        self.stack.run("celery", "--app", "app.background.worker", "purge", "--force")

    def restore(self) -> None:
        """Start whatever does not run."""
        for server in (self.broker, self.postgres):
            if server:
                server.start()
        gone = [n for n in self.names if n not in self.stack.terminals or self.stack.ended(n)]
        self.stack.start(*gone)
