"""The clock of a project's processes, stepped by libfaketime (Debian's package `faketime`)."""

from pathlib import Path

from tests.faults.bench import Bench, LeftOut
from tests.faults.registry import fault


class Clock:
    """What time a project's processes believe it is: an offset that may change as they run."""

    def __init__(self, bench: Bench) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise LeftOut("libfaketime is not installed")
        self._file = bench.stack.project / "clock"
        self.step(0)
        bench.stack.env |= {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as a step of the real clock does not, either
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, seconds: int) -> None:
        """Set the clock so far ahead of the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
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
