"""How long each command of `bgscaffold` takes, as a process."""

import subprocess
import sys
import tempfile
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks.table import seconds, show

RUNS = 7


def main() -> None:
    """Measure."""
    command = str(Path(sys.executable).with_name("bgscaffold"))
    with tempfile.TemporaryDirectory() as folder:
        projects = (str(Path(folder, f"project-{n}")) for n in range(100))
        promoted = str(Path(folder, "promoted"))
        subprocess.run(
            [command, "new", promoted], stdout=subprocess.DEVNULL, check=True
        )
        patterns = cycle(["celery", "simple"])
        tasks = (f"orders.task_{n}" for n in range(100))

        def run(verb: str) -> None:
            more: list[str] = []
            if verb == "new":
                more = [next(projects), "--with-celery"]
            if verb == "promote":
                more = [next(patterns), promoted]
            if verb == "add":
                more = ["task", next(tasks), "--route", f"--path={promoted}"]
            subprocess.run(
                [command, verb, *more], stdout=subprocess.DEVNULL, check=True
            )

        def commit_promotion() -> None:
            identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
            commit = ["git", *identity, "commit", "--quiet", "--no-edit"]
            subprocess.run(commit, cwd=promoted, check=True)

        measured: dict[str, list[float]] = {}
        for verb in ("--version", "--help", "new", "promote", "add"):
            for _ in range(RUNS + 1):
                measured.setdefault(f"bgscaffold {verb}", []).append(
                    seconds(partial(run, verb))
                )
                if verb == "promote":
                    commit_promotion()
        # The first run is left out, because it reads files from the disk.
        show({name: runs[1:] for name, runs in measured.items()})


if __name__ == "__main__":
    main()
