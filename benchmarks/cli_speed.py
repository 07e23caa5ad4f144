"""How long the command line takes, from the start of the process to its end."""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.table import seconds, show

RUNS = 7


def main() -> None:
    """Measure."""
    command = str(Path(sys.executable).with_name("bgscaffold"))
    with tempfile.TemporaryDirectory() as folder:
        projects = (str(Path(folder, f"project-{n}")) for n in range(100))

        def run(*arguments: str) -> None:
            new = [next(projects), "--with-celery"] if arguments == ("new",) else []
            subprocess.run([command, *arguments, *new], stdout=subprocess.DEVNULL, check=True)

        measured = {}
        for verb in ("--version", "--help", "new"):
            run(verb)  # the first run reads files that are not yet in memory
            measured[f"bgscaffold {verb}"] = [seconds(partial(run, verb)) for _ in range(RUNS)]
    show(measured)


if __name__ == "__main__":
    main()
