"""Does the search of a project with AI find the right file? 30 questions, the first three answers.

The corpus: this repository's documentation, and what the packages that such a project installs say
of themselves. Ends with 1 when fewer than nine questions of ten are answered.
"""

import sys
import tempfile
from email import message_from_string
from pathlib import Path

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects import environments
from tests.projects.dev import Dev
from tests.projects.environments import Environment

QUESTIONS = Path(__file__).with_name("questions.txt")
DOCUMENTATION = ("*.md", "docs/**/*.md", "template/docs/*.md")


def main() -> None:
    """Ask every question, and show those that are answered wrongly."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = environments.shared(folder, "highest")
        project = helpers.render("async", "none", folder / "project", ai=True)
        with newest.dev(project) as dev:
            chunks = fill(dev, {**documentation(), **packages(newest)})
            wrong = [each for each in questions() if not answered(dev, *each)]
    total = len(questions())
    right = total - len(wrong)
    print(
        f"{chunks} chunks; the right file in the first three: {right} of {total} questions"
    )
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
    files = {file for pattern in DOCUMENTATION for file in helpers.ROOT.glob(pattern)}
    return {
        str(file.relative_to(helpers.ROOT)): file.read_text() for file in sorted(files)
    }


def packages(environment: Environment) -> dict[str, str]:
    """Return what each installed package says of itself, by its name."""
    folder = Path(environment.variables["UV_PROJECT_ENVIRONMENT"])
    files = sorted(folder.glob("lib/python*/site-packages/*.dist-info/METADATA"))
    return {file.parent.name.split("-")[0]: described(file) for file in files}


def described(file: Path) -> str:
    """Return a package's summary and description."""
    metadata = message_from_string(file.read_text(encoding="utf-8"))
    return f"# {metadata['Name']}\n\n{metadata['Summary']}\n\n{metadata.get_payload()}"


def fill(dev: Dev, corpus: dict[str, str]) -> int:
    """Upload the corpus, wait until all of it is ready, and return the number of chunks."""
    for path, text in corpus.items():
        # Only the last part of a name is shown, and two pages of this repository share theirs.
        dev.upload(path.replace("/", ":"), text.encode())
    states = until(lambda: done(dev), lambda: dev.screen, timeout=300)
    assert {found["state"] for found in states} == {"ready"}, states
    return sum(int(found["chunks"]) for found in states)


def done(dev: Dev) -> list[dict[str, str | int]]:
    """Return the documents when none is left to do."""
    found = dev.get("/documents", limit=1000)
    return (
        [] if {"waiting", "processing"} & {each["state"] for each in found} else found
    )


def answered(dev: Dev, file: str, question: str) -> bool:
    """Tell whether a file is among the first three that the search finds."""
    found = dev.get("/documents/search", q=question, limit=20)
    names = list(dict.fromkeys(each["name"].replace(":", "/") for each in found))
    return file in names[:3]


if __name__ == "__main__":
    main()
