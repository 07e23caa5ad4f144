"""The words and names that this repository does not use (DESIGN, section 2).

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
    "deadly": "crashing",
    "door": "public API",
    "excuse": "refund the attempt",
    "evolve": "upgrade",
    "evolving": "upgrading",
    "fare": "happen",
    "foresee": "preview",
    "foresaw": "previewed",
    "foreseen": "previewed",
    "foretell": "preview",
    "foretold": "previewed",
    "hence": "so",
    "house": "project",
    "job": "task run",
    "mend": "fix",
    "refusal": "error",
    "room": "domain package",
    "settle": "resolve",
    "told": "reported",
    "unmended": "not fixed",
    "unsettled": "unresolved",
    "unrest": "uncommitted changes",
    "upkeep": "maintenance",
    "whoever": "the client that, every user who",
}
# Banned in prose only. They are regular expressions.
PHRASES = {
    r"as good as once": "idempotent",
    r"by now": "now",
    r"by the clock": "on a schedule",
    r"for ever": "forever",
    r"go on|goes on|gone on": "continue",
    r"he|him|himself|his": "the user, you",
    r"lest|hitherto|thereof|whence": "so that, until now, of it",
    r"keeps? up": "renew",
    r"lies|lie": "is",
    r"made good": "caught up on",
    r"puts? back": "restore",
    r"stands|stood|stand in": "is",
    r"tells? (whether|how|of)": "return, report",
    r", for (nobody|no|it|they|there|what|both|all|each|he|we|you)": "because",
    r"[,;:] for (the |an? |every |its |your )?\w+ (is|are|was|has|have|can|needs?)": "because",
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
WORD = re.compile("|".join(f"{word}(e?[sd]?|ing)" for word in WORDS))
PROSE = re.compile(rf"\b({WORD.pattern}|{'|'.join(PHRASES)})\b", re.IGNORECASE)
# Python 3.12 and newer split f-strings.
FSTRING = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)
TEXT_TOKENS = (tokenize.COMMENT, tokenize.STRING, FSTRING)
PARTS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# Names of other software, and of its protocols.
ALLOWED = {"add_job", "jobs"}
FOREIGN = re.compile(r"354 go on")  # SMTP
FOLDERS = ("generator", "tests", "benchmarks", "docs")
ROOT_FILES = ("*.md", "*.yml", "*.toml", ".ci/*", ".github/**/*.yml")
TEXT = re.compile(r"\.(py|md|ya?ml|toml|jinja|js|css|html|mako)$|\.ci/run$")


def files() -> list[Path]:
    """Return the files whose language is tested: those that people read."""
    found = [path for folder in FOLDERS for path in (helpers.ROOT / folder).rglob("*")]
    found += [path for pattern in ROOT_FILES for path in helpers.ROOT.glob(pattern)]
    return [*sources.files(), *sorted(path for path in found if is_source(path))]


def is_source(path: Path) -> bool:
    """Return whether a path is a text of the repository, and not this module."""
    name = path.relative_to(helpers.ROOT).as_posix()
    is_text = path.is_file() and bool(TEXT.search(name))
    return is_text and path != Path(__file__) and not sources.LEFTOVERS.search(name)


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file without `.jinja`."""
    return Path(path.name.removesuffix(".jinja")).suffix


@pytest.mark.parametrize(
    "path", files(), ids=lambda path: path.relative_to(helpers.ROOT).as_posix()
)
def test_the_language_is_the_fields(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    is_python = plain_suffix(path) == ".py"
    found = python_findings(text) if is_python else prose_findings(text)
    assert list(found) == []
    assert not any(map(WORD.fullmatch, path.stem.split("_")))


def python_findings(text: str) -> Iterator[str]:
    """Yield the banned words of a module, with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == tokenize.NAME:
            words = [part.lower() for part in PARTS.findall(token.string)]
            is_banned = token.string in NAMES or any(map(WORD.fullmatch, words))
            if is_banned and token.string not in ALLOWED:
                yield f"{line}: {token.string}"
        elif token.type in TEXT_TOKENS:
            yield from prose_findings(token.string, line)


def prose_findings(text: str, first_line: int = 1) -> Iterator[str]:
    """Yield the banned words of a text, with their lines."""
    for number, line in enumerate(text.splitlines(), first_line):
        for match in PROSE.finditer(FOREIGN.sub("", line)):
            if match[0] not in ALLOWED:
                yield f"{number}: {match[0]}"


@pytest.mark.parametrize(
    "line",
    [
        "def unrest(): ...",
        "PATIENCE = 1",
        "x = 'it was told'",
        "x = f'{y} was told'",
        "# slow, for the file is large",
        "def mending(): ...",
        "# by the clock",
        "# slow, for nobody knows",
    ],
)
def test_a_banned_word_is_found(line: str) -> None:
    assert len(list(python_findings(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "for x in settings: ...",
        "# history, for example of each user",
        "# households understand relief",
        "x = 'amended farewell'",
        "scheduler.add_job(run)",
    ],
)
def test_other_words_are_not_found(line: str) -> None:
    assert list(python_findings(line)) == []
