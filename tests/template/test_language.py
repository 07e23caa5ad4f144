"""The words and names that the template does not use (DESIGN, section 2).

Code and prose use the field's words. Each banned word is listed with the word to use.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import helpers
from tests.template import sources

# Banned as a word of prose, and as a part of an identifier.
WORDS = {
    "anew": "again",
    "bury": "mark as dead",
    "buried": "dead",
    "door": "public API",
    "excuse": "refund the attempt",
    "evolve": "upgrade",
    "fare": "happen",
    "foresee": "preview",
    "foretell": "predict",
    "house": "project",
    "job": "task run",
    "mend": "fix",
    "refusal": "error",
    "room": "domain package",
    "settle": "resolve",
    "told": "reported",
    "unrest": "uncommitted changes",
    "upkeep": "maintenance",
    "whoever": "the client that, every user who",
}
# Banned in prose only. They are regular expressions.
PHRASES = {
    r"as good as once": "idempotent",
    r"by now": "now",
    r"goes on": "continues",
    r"his": "the user's",
    r"keeps? up": "renew",
    r"lies|lie": "is",
    r"made good": "caught up on",
    r"puts? back": "restore",
    r"stands|stood": "is",
    r", for (nobody|no|it|they|there|what|both|all|each|he|we|you)": "because",
}
# Banned as a whole identifier, or as the name of a module.
NAMES = {
    "begin_anew_after_a_death": "restart_if_pool_process_died",
    "busy": "deferring_signals",
    "claim_first": "claim_due",
    "claim_suspect": "claim_last_attempt",
    "demand_admin": "require_admin",
    "id_of_key": "task_id_for_key",
    "mechanism": "backend",
    "no_outbox": "null outbox",
    "offer": "make_available",
    "perform_contained": "execute_and_log",
    "problems": "errors",
    "refusals": "errors",
    "request_tasks": "get_background_tasks",
    "standing": "unclaimed_counts",
    "stop_run": "mark_cancelled",
    "take_back": "unmark_published",
    "told_briefly": "without_traceback",
    "GoneError": "StaleRunError",
    "PATIENCE": "TIMEOUT",
    "RefusesToStart": "StartupError",
    "Said": "MessageOut",
    "Begun": "IndexingRun",
    "Found": "SearchHit",
    "Wish": "ClientMessage",
}
PROSE = re.compile(
    rf"\b({'|'.join(f'{word}e?[sd]?' for word in WORDS)}|{'|'.join(PHRASES)})\b",
    re.IGNORECASE,
)
PARTS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# Names of other software.
ALLOWED = {"add_job", "jobs"}


def files() -> list[Path]:
    """Return the files whose language is tested."""
    return [*sources.files(), *sorted((helpers.ROOT / "tests/template").rglob("*.py"))]


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file without `.jinja`."""
    return Path(path.name.removesuffix(".jinja")).suffix


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_language_is_the_fields(path: Path) -> None:
    if path == Path(__file__):
        return
    text = path.read_text(encoding="utf-8")
    is_python = plain_suffix(path) == ".py"
    found = python_findings(text) if is_python else prose_findings(text)
    assert list(found) == []


def python_findings(text: str) -> Iterator[str]:
    """Yield the banned words of a module, with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == tokenize.NAME:
            words = {part.lower() for part in PARTS.findall(token.string)}
            is_banned = token.string in NAMES or words & WORDS.keys()
            if is_banned and token.string not in ALLOWED:
                yield f"{line}: {token.string}"
        elif token.type in (tokenize.COMMENT, tokenize.STRING):
            yield from prose_findings(token.string, line)


def prose_findings(text: str, first_line: int = 1) -> Iterator[str]:
    """Yield the banned words of a text, with their lines."""
    for number, line in enumerate(text.splitlines(), first_line):
        for match in PROSE.finditer(line):
            if match[0] not in ALLOWED:
                yield f"{number}: {match[0]}"


@pytest.mark.parametrize(
    "line",
    [
        "def unrest(): ...",
        "PATIENCE = 1",
        "x = 'it was told'",
        "# slow, for nobody knows",
    ],
)
def test_a_banned_word_is_found(line: str) -> None:
    assert len(list(python_findings(line))) == 1
