"""Steady load, what was accepted, and what was done."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

import httpx2

MOST_OPEN = 150  # tasks: more than the machine can do is no steady load
MIX = ("instant",) * 6 + ("slow",) * 2 + ("slow_async",) * 2


class Load:
    """Sends requests from a few threads, each once: only a 202 is an acceptance."""

    def __init__(self, log: Path, seed: int) -> None:
        self.log = log
        self.accepted: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.threads = 4
        self.pause = 0.25  # seconds between two requests of one thread
        self.holding = False  # no requests until open tasks are done
        self._names = (f"task-{n}" for n in count())
        self._lock = threading.Lock()
        self._random = Random(seed)

    def name(self) -> str:
        """Return a name that no other task has."""
        with self._lock:
            return next(self._names)

    @contextmanager
    def steady(self, *urls: str) -> Iterator[None]:
        """Send requests while the block lasts."""
        stop = threading.Event()
        senders = [
            threading.Thread(
                target=self._send_until, args=(stop, urls[n % len(urls)]), daemon=True
            )
            for n in range(self.threads)
        ]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            stop.set()
            for sender in senders:
                sender.join(timeout=30)

    def _send_until(self, stop: threading.Event, url: str) -> None:
        with httpx2.Client(base_url=url, timeout=20, trust_env=False) as client:
            while not stop.wait(self.pause):
                if self.holding or self.open() > MOST_OPEN:
                    continue
                kind = self._random.choice(MIX)
                self.send(client.post, kind, self._random.uniform(0.05, 0.3))

    def send(
        self,
        post: Callable[[str], httpx2.Response],
        kind: str,
        seconds: float = 0,
    ) -> str:
        """Send one request, and note it when it is accepted."""
        name = self.name()
        try:
            answer = post(f"/bgscaffold-faults/{kind}/{name}?seconds={seconds}")
            status = str(answer.status_code)
        except httpx2.HTTPError as error:
            status = type(error).__name__
        self.note(status, name)
        return name

    def send_many(
        self, post: Callable[[str], httpx2.Response], name: str, number: int
    ) -> None:
        """Enqueue many tasks by one request."""
        status = str(post(f"/bgscaffold-faults/{name}/times/{number}").status_code)
        self.note(status, *(f"{name}.{n}" for n in range(number)))

    def note(self, status: str, *names: str) -> None:
        """Note the status of the answer for these tasks."""
        with self._lock:
            if status == "202":
                self.accepted.update(names)
            else:
                self.refused[status] += 1

    def open(self) -> int:
        """Return an estimate of how many tasks are accepted and not done."""
        lines = self.log.read_bytes().count(b"\n") if self.log.exists() else 0
        return len(self.accepted) - lines

    def effects(self) -> Counter[str]:
        """Return how often each task has been done."""
        if not self.log.exists():
            return Counter()
        return Counter(line.split()[0] for line in self.log.read_text().splitlines())

    def starts(self) -> list[float]:
        """Return when each effect's attempt began, in seconds since the epoch."""
        return [float(line.split()[1]) for line in self.log.read_text().splitlines()]

    def times(self, name: str) -> int:
        """Return how often a task has been done."""
        return self.effects()[name]

    def lost(self) -> set[str]:
        """Return what was accepted and is not done, yet."""
        return self.accepted - self.effects().keys()

    def doubled(self) -> list[str]:
        """Return what has been done more than once."""
        return [name for name, times in self.effects().items() if times > 1]

    def attempts(self, name: str) -> int:
        """Return how often a task has ended its process."""
        file = Path(f"{self.log}.attempts")
        return sum(
            line.startswith(f"{name} ") for line in file.read_text().splitlines()
        )
