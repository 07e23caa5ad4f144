"""The wall clock of a project's processes, stepped while they run.

Debian's libfaketime 0.9.10 cannot do it: `time.sleep` of Python 3.11 then fails with
EINVAL. So clock.c is compiled here, and loaded before the C library.
"""

import shutil
import subprocess
from functools import partial
from pathlib import Path

from bgscaffold.verify.suite.faults.context import Context, LeftOutError
from bgscaffold.verify.suite.faults.registry import fault

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The wall clock of a project's processes, which may change while they run."""

    def __init__(self, context: Context) -> None:
        compiler = shutil.which("cc")
        if not compiler:
            raise LeftOutError("no C compiler for clock.c")
        library = context.processes.folder / "clock.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
        self._file = context.processes.folder / "clock"
        self.step(0)
        context.processes.env |= {
            "LD_PRELOAD": str(library),
            "FAULTS_CLOCK": str(self._file),
        }

    def step(self, seconds: int) -> None:
        """Set the clock this far ahead of the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.rename(self._file)


@fault()
def clock_forward(context: Context) -> None:
    """The clock steps one hour forward while tasks run."""
    clock = Clock(context)
    with context.under_load():
        context.pass_time(1, 2)
        context.inject(partial(clock.step, 3600))
        context.pass_time(2, 3)


@fault()
def clock_back(context: Context) -> None:
    """The clock steps one hour back while tasks run."""
    clock = Clock(context)
    clock.step(3600)
    with context.under_load():
        context.pass_time(1, 2)
        context.inject(partial(clock.step, 0))
        context.pass_time(2, 3)
