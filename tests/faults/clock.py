"""The wall clock of a project's processes, stepped while they run.

Debian's libfaketime 0.9.10 cannot do it: under it, `time.sleep` of Python 3.11 fails with
EINVAL. Hence clock.c, which is compiled here and loaded before the C library.
"""

import shutil
import subprocess
from pathlib import Path

from tests.faults.bench import Bench, LeftOut
from tests.faults.registry import fault

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """What time a project's processes believe it is: an offset that may change as they run."""

    def __init__(self, bench: Bench) -> None:
        compiler = shutil.which("cc")
        if not compiler:
            raise LeftOut("no C compiler for clock.c")
        library = bench.stack.project / "clock.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
        self._file = bench.stack.project / "clock"
        self.step(0)
        bench.stack.env |= {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(self._file)}

    def step(self, seconds: int) -> None:
        """Set the clock so far ahead of the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.rename(self._file)


@fault()
def clock_forward(bench: Bench) -> None:
    """The clock steps one hour forward while tasks run."""
    clock = Clock(bench)
    with bench.under_load():
        bench.pass_time(1, 2)
        bench.inject(lambda: clock.step(3600))
        bench.pass_time(2, 3)


@fault()
def clock_back(bench: Bench) -> None:
    """The clock steps one hour back while tasks run."""
    clock = Clock(bench)
    clock.step(3600)
    with bench.under_load():
        bench.pass_time(1, 2)
        bench.inject(lambda: clock.step(0))
        bench.pass_time(2, 3)
