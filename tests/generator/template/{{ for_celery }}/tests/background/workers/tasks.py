"""Tasks that only tests of workers enqueue."""

import os
import signal

from app.background import task


@task("workers.kill")
def kill() -> None:
    """Kill the process that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)
