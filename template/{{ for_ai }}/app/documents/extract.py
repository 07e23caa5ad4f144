"""Extracts the text of a document and splits it into chunks, in a process of its own.

Reading a PDF takes seconds of CPU time, which would delay every request of the web
process. A malicious file could use all its memory. This process has limits of its own.
It prints one line of JSON for each chunk, and `extract_process.py` starts it. It
imports nothing of the application, because that takes longer than most documents.
"""

import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

MAX_LENGTH = 800  # characters of a chunk, without the headings above it
MAX_MEMORY = 1_500_000_000  # bytes
# As many whole words as fit into a chunk, or a part of a word that is too long.
WORDS = re.compile(r"\S(?:.{0,798}\S)?(?=\s|$)|\S{800}", re.DOTALL)
HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ ]+(\S.*)")  # starts a paragraph
# A comment, a declaration, or a tag: its slash, its name and its attributes, whose
# quoted values may contain ">". Each ends at the end of the file, if not before, so no
# character is matched twice.
TAG = re.compile(
    r"""<(?:!--.*?(?:--!?>|\Z)|(?:[!?]|/(?![a-z]))[^>]*(?:>|\Z)|"""
    r"""(/?)([a-z][^\s/>]*)"""
    r"""(?:[^>=]+|=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?)*(?:>|\Z))""",
    re.DOTALL | re.IGNORECASE,
)
INVISIBLE_TAGS = frozenset({"noscript", "script", "style", "svg", "template", "title"})
HEADING_TAGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
INLINE_TAGS = frozenset(
    """a abbr b bdi bdo cite code del dfn em font i img ins kbd label mark q s samp
    small span strong sub sup time tt u var wbr""".split()  # noqa: SIM905  # easier to read
)
# Text, and the fraction of the document that has been read with it
TextWithProgress = Iterator[tuple[float, str]]


class UnreadableError(Exception):
    """A document that no retry can read. The message says why."""


def main() -> None:
    """Extract one document within limits."""
    kind, path, cpu_seconds = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    signal.setitimer(signal.ITIMER_PROF, float(cpu_seconds))  # SIGPROF ends the process
    lower_priority()
    try:
        print_chunks(kind, Path(path))
        sys.stdout.flush()
    except ConnectionError:  # nobody reads the output any more
        os._exit(1)  # a normal exit would try to write the rest


def print_chunks(kind: str, path: Path) -> None:
    """Print the chunks of a document, or the reason why there are none."""
    try:
        for progress, text in extract_chunks(kind, path):
            print(json.dumps({"progress": progress, "text": text}))
    except UnreadableError as error:
        print(json.dumps({"error": str(error)}))
    except MemoryError:
        print(json.dumps({"error": "It needs more memory than a document may use."}))


def lower_priority() -> None:
    """Let requests use the CPU first."""
    os.nice(10)
    if sys.platform == "linux":
        with suppress(OSError):  # some sandboxes do not allow it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def extract_chunks(kind: str, path: Path) -> TextWithProgress:
    """Yield the chunks of a document.

    Raises:
        UnreadableError: It is broken or encrypted, or contains no text.
    """
    is_empty, before = True, 0.0
    with _open(path) as file:
        for after, text in READERS[kind](file):
            for fraction, chunk in split_into_chunks(storable_text(text)):
                is_empty = False
                yield before + (after - before) * fraction, chunk
            before = after
    if is_empty:
        raise UnreadableError("It contains no text.")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UnreadableError("Its file is missing. Upload it again.") from None


def storable_text(text: str) -> str:
    """Remove what databases refuse: NUL, and halves of characters as in some PDFs."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def read_text(file: BinaryIO) -> TextWithProgress:
    """Read text or Markdown in UTF-8, or in UTF-16 with a byte order mark."""
    content = file.read()
    is_utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    yield 1.0, content.decode("utf-16" if is_utf_16 else "utf-8-sig", errors="replace")


def read_html(file: BinaryIO) -> TextWithProgress:
    """Read the visible text of HTML. Its headings become Markdown headings.

    Parsers take minutes for some files of 100 KB. Text and headings need no tree.
    """
    for _progress, text in read_text(file):
        yield 1.0, "".join(visible_text(text))


def visible_text(html: str) -> Iterator[str]:
    """Yield the text between the tags, with an empty line around each block."""
    position = 0
    while tag := TAG.search(html, position):
        yield collapse_whitespace(html[position : tag.start()])
        position = tag.end()
        is_closing, name = bool(tag[1]), (tag[2] or "").lower()
        if not name or name in INLINE_TAGS:  # a comment has no name
            continue
        yield "\n\n"
        if is_closing:
            continue
        yield HEADING_TAGS.get(name, "")
        is_self_closing = html[position - 2] == "/"
        if name in INVISIBLE_TAGS and not is_self_closing:
            end = re.compile(f"</{name}", re.IGNORECASE).search(html, position)
            position = end.start() if end else len(html)
    yield collapse_whitespace(html[position:])


def collapse_whitespace(source: str) -> str:
    """Return text as a browser shows it, without the line breaks of its source."""
    # Python refuses to convert very long numbers.
    short = re.sub(r"&#(\d{7})\d+", r"&#\1", source)
    return re.sub(r"\s+", " ", unescape(short))


def read_pdf(file: BinaryIO) -> TextWithProgress:
    """Read a PDF, page by page."""
    from pypdf import PdfReader

    # It logs a warning for each oddity, thousands for some files.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("It is encrypted and needs a password.")
        for number, page in enumerate(reader.pages, 1):
            yield number / len(reader.pages), page.extract_text()
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # pypdf raises many types for a broken file
        if type(error).__name__ == "DependencyError":
            raise UnreadableError("It is encrypted.") from error
        reason = storable_text(str(error))[:300]
        raise UnreadableError(f"The PDF is broken: {reason}") from error


READERS = {"pdf": read_pdf, "html": read_html, "text": read_text}


def split_into_chunks(text: str) -> TextWithProgress:
    """Split text between paragraphs. Each chunk starts with the headings above it."""
    length = 0
    for headings, paragraphs in split_sections(text):
        for chunk in pack_paragraphs(paragraphs):
            length += len(chunk)
            yield length / len(text), f"{headings}\n{chunk}" if headings else chunk


def split_sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the paragraphs of each section after its headings: `Guide > Install`."""
    headings = Headings()
    body: list[str] = []
    for paragraph in split_paragraphs(text):
        heading = HEADING.match(paragraph)
        if heading is None:
            body.append(paragraph)
            continue
        yield str(headings), body
        headings.add(level=len(heading[1]), title=heading[2])
        body = [paragraph[heading.end() :]]
    has_text = any(paragraph.strip() for paragraph in body)
    if headings.titles and not has_text:
        body = [headings.titles[-1]]  # a document of headings is not empty
    yield str(headings), body


class Headings:
    """The headings above a paragraph, from the highest to the lowest."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        self.titles: list[str] = []

    def add(self, level: int, title: str) -> None:
        """Add a heading. It replaces those of the same level and below."""
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
            self.titles.pop()
        self._levels.append(level)
        self.titles.append(title.strip()[:100])

    def __str__(self) -> str:
        return " > ".join(self.titles)


def split_paragraphs(text: str) -> Iterator[str]:
    """Yield the text between empty lines."""
    # A regular expression would take quadratic time for many empty lines.
    for is_empty, lines in groupby(StringIO(text), str.isspace):
        if not is_empty:
            yield "".join(lines)


def pack_paragraphs(paragraphs: list[str]) -> Iterator[str]:
    """Join short paragraphs, and cut long ones between words."""
    chunk = ""
    for paragraph in paragraphs:
        for words in WORDS.findall(paragraph):
            if chunk and len(chunk) + len(words) > MAX_LENGTH:
                yield chunk
                chunk = ""
            chunk = f"{chunk}\n{words}".lstrip()
    if chunk:
        yield chunk


if __name__ == "__main__":
    main()
