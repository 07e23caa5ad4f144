"""How long requests take while ten documents are processed, at the 50th and the 99th percentile.

A real server of each pattern, ten PDFs of 200 pages, and beside them, one after another: the
upload of a file of 1 MB, and requests to other routes. Ends with 1 when one is above 50 ms.
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
from tests.projects import environments
from tests.projects.dev import Dev
from tests.projects.environments import Environment

PDFS = 10
ROUNDS = 150
LIMIT = 0.05  # seconds
MAKE_PDF = """
import sys
from random import Random
from tests.documents.files import pdf
words = ["harbour", "granite", "fog", "loan", "spring", "autumn", "lighthouse", "letter"]
draw = Random(int(sys.argv[1]))
pages = [" ".join(draw.choice(words) for _ in range(300)) for _ in range(200)]
sys.stdout.buffer.write(pdf(*pages))
"""


def main() -> None:
    """Measure each pattern."""
    print(f"{'':24}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}")
    slow = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = environments.shared(folder, "highest")
        for pattern in helpers.PATTERNS:
            project = helpers.render(pattern, "none", folder / f"my-{pattern}", ai=True)
            pdfs = [made(newest, project, number) for number in range(PDFS)]
            with newest.dev(project) as dev:
                measured = measure(dev, pdfs)
            slow |= show(pattern, measured)
    sys.exit(slow)


def made(newest: Environment, project: Path, number: int) -> bytes:
    """Return a PDF like no other."""
    python = Path(newest.variables["UV_PROJECT_ENVIRONMENT"], "bin", "python")
    command = [str(python), "-c", MAKE_PDF, str(number)]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, check=True)
    return done.stdout


def measure(dev: Dev, pdfs: list[bytes]) -> dict[str, list[float]]:
    """Return how long each kind of request takes meanwhile."""
    warm = dev.upload("first.md", b"The first document loads the embedder.")
    until(lambda: dev.get(f"/documents/{warm}")["state"] == "ready", lambda: dev.screen)
    for number, pdf in enumerate(pdfs):
        dev.upload(f"{number}.pdf", pdf)
    taken: dict[str, list[float]] = {}
    first_to_run()
    with httpx2.Client(base_url=dev.url, trust_env=False, timeout=30) as client:
        for number in range(ROUNDS):
            megabyte = os.urandom(500_000).hex().encode()
            files = {"file": (f"{number}.txt", megabyte)}
            action = {"action_name": f"action {number}"}
            requests = {
                "POST /documents, 1 MB": client.build_request(
                    "POST", "/documents", files=files
                ),
                "POST /actions": client.build_request("POST", "/actions", json=action),
                "GET /documents": client.build_request("GET", "/documents?limit=10"),
                "GET /health/ready": client.build_request("GET", "/health/ready"),
            }
            for what, request in requests.items():
                begun = perf_counter()
                client.send(request).raise_for_status()
                taken.setdefault(what, []).append(perf_counter() - begun)
    open_ = [each["state"] for each in dev.get("/documents", limit=1000)]
    assert {"waiting", "processing"} & set(open_), (
        "they were done before the requests were"
    )
    return taken


def first_to_run() -> None:
    """Let this thread wait for no core.

    Who asks a server is elsewhere. Here Linux let the client wait for up to 80 ms, with the answer
    already there, in favour of readers of another session, whatever their priority is.
    """
    try:
        os.sched_setscheduler(
            0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1)
        )
    except (AttributeError, OSError):
        print(
            "  (not root on Linux: the times contain how long the client itself waits for a core)"
        )


def show(pattern: str, measured: dict[str, list[float]]) -> bool:
    """Print the figures of a pattern, and tell whether one is above the limit."""
    print(pattern)
    worst = 0.0
    for what, taken in measured.items():
        cuts = quantiles(taken, n=100)
        worst = max(worst, cuts[98])
        print(
            f"  {what:22}{cuts[49] * 1e3:8.1f}{cuts[98] * 1e3:8.1f}{max(taken) * 1e3:8.1f}"
        )
    sys.stdout.flush()
    return worst > LIMIT


if __name__ == "__main__":
    main()
