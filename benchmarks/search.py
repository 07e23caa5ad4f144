"""Does the search find the right file? 30 questions to a project with AI.

The corpus is this repository's documentation, and the descriptions of the packages of a
project with all features. A question is answered if the right file is among the first
three. The exit code is 1 if fewer than nine of ten questions are answered.
"""

import sys
import tempfile
from email import message_from_string
from pathlib import Path

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import (
    Installation,
    InstalledEnvironment,
    python_with_everything,
)

QUESTIONS = Path(__file__).with_name("questions.txt")
DOCUMENTATION = ("*.md", "docs/**/*.md", "template/docs/*.md")


def main() -> None:
    """Ask every question, and print those that are not answered."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = InstalledEnvironment(folder, Installation())
        project = helpers.render("async", "none", folder / "project", ai=True)
        with newest.dev(project) as dev:
            chunks = fill(
                dev, documentation() | packages(python_with_everything(folder))
            )
            wrong = [each for each in questions() if not is_answered(dev, *each)]
    total = len(questions())
    right = total - len(wrong)
    print(f"{chunks} chunks; answered: {right} of {total} questions")
    for file, question in wrong:
        print(f"  missed: {file}: {question}")
    sys.exit(right < 0.9 * total or chunks < 500)


def questions() -> list[tuple[str, str]]:
    """Return each question with the file that answers it."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if not line.startswith("#"))
    return [(file, question) for file, question in pairs]


def documentation() -> dict[str, str]:
    """Return this repository's pages, by their paths."""
    root = helpers.ROOT
    files = {file for pattern in DOCUMENTATION for file in root.glob(pattern)}
    return {str(file.relative_to(root)): file.read_text() for file in sorted(files)}


def packages(python: Path) -> dict[str, str]:
    """Return the description of each installed package, by its name."""
    installed = "lib/python*/site-packages/*.dist-info/METADATA"
    files = sorted(python.parents[1].glob(installed))
    return {file.parent.name.split("-")[0]: describe(file) for file in files}


def describe(file: Path) -> str:
    """Return a package's summary and description."""
    metadata = message_from_string(file.read_text(encoding="utf-8"))
    return f"# {metadata['Name']}\n\n{metadata['Summary']}\n\n{metadata.get_payload()}"


def fill(dev: Dev, corpus: dict[str, str]) -> int:
    """Upload the corpus, wait until all of it is ready, and return the number of chunks."""
    for path, text in corpus.items():
        # Two pages have the same file name, and folders are left out.
        dev.upload(path.replace("/", ":"), text.encode())
    done = until(lambda: documents_if_done(dev), lambda: dev.screen, timeout=300)
    assert {document["state"] for document in done} == {"ready"}, done
    return sum(int(document["chunks"]) for document in done)


def documents_if_done(dev: Dev) -> list[dict[str, str | int]]:
    """Return the documents when none is waiting or processed."""
    documents: list[dict[str, str | int]] = dev.get("/documents", limit=1000)
    states = {document["state"] for document in documents}
    return [] if {"waiting", "processing"} & states else documents


def is_answered(dev: Dev, file: str, question: str) -> bool:
    """Return whether a file is among the first three that the search finds."""
    hits = dev.get("/documents/search", q=question, limit=20)
    names = list(dict.fromkeys(hit["name"].replace(":", "/") for hit in hits))
    return file in names[:3]


if __name__ == "__main__":
    main()
