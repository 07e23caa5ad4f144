"""How long requests take while ten documents are indexed: percentiles 50 and 99.

A real server of each pattern indexes ten PDFs of 200 pages. Meanwhile the benchmark
uploads files of 1 MB and calls other routes, one request at a time. The exit code is 1
if a percentile 99 is above 50 ms.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import httpx2

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import Installation, InstalledEnvironment

PDFS = 10
ROUNDS = 150
LIMIT = 0.05  # seconds
MAKE_PDF = """
import sys
from random import Random
from tests.documents.files import pdf
words = "harbour granite fog loan spring autumn lighthouse letter".split()
draw = Random(int(sys.argv[1]))
pages = [" ".join(draw.choice(words) for _ in range(300)) for _ in range(200)]
sys.stdout.buffer.write(pdf(*pages))
"""


def main() -> None:
    """Measure each pattern."""
    print(f"{'':24}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}")
    is_slow = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = InstalledEnvironment(folder, Installation())
        for pattern in helpers.PATTERNS:
            target = folder / f"my-{pattern}"
            project = helpers.render(pattern, "none", target, ai=True)
            python = newest.python(project)
            pdfs = [make_pdf(python, project, number) for number in range(PDFS)]
            with newest.dev(project) as dev:
                measured = measure(dev, pdfs)
            is_slow |= show(pattern, measured)
    sys.exit(is_slow)


def make_pdf(python: Path, project: Path, number: int) -> bytes:
    """Return a PDF with random words."""
    command = [str(python), "-c", MAKE_PDF, str(number)]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, check=True)
    return done.stdout


def measure(dev: Dev, pdfs: list[bytes]) -> dict[str, list[float]]:
    """Return the seconds of each kind of request while documents are indexed."""
    warm = dev.upload("first.md", b"The first document loads the embedder.")
    path = f"/documents/{warm}"
    until(lambda: dev.get(path)["state"] == "ready", lambda: dev.screen)
    for number, pdf in enumerate(pdfs):
        dev.upload(f"{number}.pdf", pdf)
    raise_priority()
    taken: dict[str, list[float]] = {}
    with httpx2.Client(base_url=dev.url, trust_env=False, timeout=30) as client:
        for number in range(ROUNDS):
            megabyte = os.urandom(500_000).hex().encode()
            files = {"file": (f"{number}.txt", megabyte)}
            action = {"action_name": f"action {number}"}
            build = client.build_request
            requests = {
                "POST /documents, 1 MB": build("POST", "/documents", files=files),
                "POST /actions": build("POST", "/actions", json=action),
                "GET /documents": build("GET", "/documents?limit=10"),
                "GET /health/ready": build("GET", "/health/ready"),
            }
            for name, request in requests.items():
                started = perf_counter()
                client.send(request).raise_for_status()
                taken.setdefault(name, []).append(perf_counter() - started)
    states = {document["state"] for document in dev.get("/documents", limit=1000)}
    assert {"waiting", "processing"} & states, "the documents were done too early"
    return taken


def raise_priority() -> None:
    """Let this thread run before the server's processes.

    A real client runs on another machine. Here Linux let the client wait up to 80 ms
    after the response had arrived.
    """
    try:
        os.sched_setscheduler(
            0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1)
        )
    except (AttributeError, OSError):
        print("  (not root on Linux: the times include waits of the client for a core)")


def show(pattern: str, measured: dict[str, list[float]]) -> bool:
    """Print the figures of a pattern, and return whether one is above the limit."""
    print(pattern)
    worst = 0.0
    for name, taken in measured.items():
        cuts = quantiles(taken, n=100)
        worst = max(worst, cuts[98])
        columns = [cuts[49], cuts[98], max(taken)]
        print(f"  {name:22}" + "".join(f"{value * 1e3:8.1f}" for value in columns))
    sys.stdout.flush()
    return worst > LIMIT


if __name__ == "__main__":
    main()
