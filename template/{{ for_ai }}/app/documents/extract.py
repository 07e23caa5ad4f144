"""Reads a document and splits it into chunks, in a process of its own.

To read a PDF takes seconds of pure computing, which in the web process would hold up every request,
and a file that was made to do harm may want all memory there is. This process has limits, and dies
alone. It prints a line of JSON for each chunk; `reading.py` starts it. So it imports nothing of the
application, which would take longer than most documents.
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

LONGEST = 800  # letters of a chunk, besides the headings above it
MEMORY = 1_500_000_000  # bytes
PIECE = re.compile(r"\S(?:.{0,798}\S)?(?=\s|$)|\S{800}", re.DOTALL)  # whole words, if it can be
HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ ]+(\S.*)")  # after an empty line: in code, # is a comment
# A comment, what else is no element, or the tag of one: its /, its name, its attributes, in which a
# quoted > does not end it. Each ends at the latest where the file does: nothing is read twice.
TAG = re.compile(
    r"""<(?:!--.*?(?:--!?>|\Z)|(?:[!?]|/(?![a-z]))[^>]*(?:>|\Z)|"""
    r"""(/?)([a-z][^\s/>]*)(?:[^>=]+|=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?)*(?:>|\Z))""",
    re.DOTALL | re.IGNORECASE,
)
UNSEEN = frozenset({"noscript", "script", "style", "svg", "template", "title"})
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
INLINE = frozenset(
    """a abbr b bdi bdo cite code del dfn em font i img ins kbd label mark q s samp small span strong
    sub sup time tt u var wbr""".split()  # noqa: SIM905  # words, to be read
)
Blocks = Iterator[tuple[float, str]]  # how much of the document has been read then, and text


class UnreadableError(Exception):
    """A document that will never be read, however often it is tried: the message says why."""


def main() -> None:
    """Read a document within limits."""
    kind, path, seconds = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.setitimer(signal.ITIMER_PROF, float(seconds))  # of computing; its signal ends this
    step_back()
    try:
        tell(kind, Path(path))
        sys.stdout.flush()
    except ConnectionError:  # nobody reads any more
        os._exit(1)  # at an ordinary end Python would try to write the rest, and complain


def tell(kind: str, path: Path) -> None:
    """Print the chunks of a document, or why there are none."""
    try:
        for done, text in chunks(kind, path):
            print(json.dumps({"done": done, "text": text}))
    except UnreadableError as error:
        print(json.dumps({"error": str(error)}))
    except MemoryError:
        print(json.dumps({"error": "It takes more memory than a document may."}))


def step_back() -> None:
    """Compute when nobody else does: requests come first."""
    os.nice(10)
    if sys.platform == "linux":
        with suppress(OSError):  # some sandboxes allow no other policy
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def chunks(kind: str, path: Path) -> Blocks:
    """Give the chunks of a document, each with how much of the document has been read.

    Raises:
        UnreadableError: It is broken or encrypted, or holds no text.
    """
    empty, before = True, 0.0
    with _opened(path) as file:
        for done, text in READERS[kind](file):
            for share, chunk in split(storable(text)):
                empty = False
                yield before + (done - before) * share, chunk
            before = done
    if empty:
        raise UnreadableError("It holds no text.")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UnreadableError("Its file is gone. Upload it again.") from None


def storable(text: str) -> str:
    """Return text without what no database takes: NUL, and halves of a letter, as some PDFs have."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def read_text(file: BinaryIO) -> Blocks:
    """Read text, Markdown too: UTF-8, or UTF-16 with its mark."""
    content = file.read()
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    yield 1.0, content.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")


def read_html(file: BinaryIO) -> Blocks:
    """Read what a browser would show of HTML; its headings become those of Markdown.

    Python's own parser takes minutes for some files of 100 KB, and others build a tree, in which
    they search again and again when it is deep. Words and headings need no tree.
    """
    for _done, text in read_text(file):
        yield 1.0, "".join(shown(text))


def shown(html: str) -> Iterator[str]:
    """Give the text between the tags, with an empty line around each block."""
    start = 0
    while tag := TAG.search(html, start):
        if start < tag.start():
            yield words(html[start : tag.start()])
        start = tag.end()
        closing, name = tag[1], (tag[2] or "b").lower()  # a comment breaks no line, like a <b>
        if name in INLINE:
            continue
        yield "\n\n"
        if name in HEADINGS and not closing:
            yield HEADINGS[name]
        elif name in UNSEEN and not closing and html[start - 2] != "/":
            end = re.compile(f"</{name}", re.IGNORECASE).search(html, start)
            start = end.start() if end else len(html)
    yield words(html[start:])


def words(source: str) -> str:
    """Return text as it is shown: without the line breaks of its source."""
    short = re.sub(r"&#(\d{7})\d+", r"&#\1", source)  # Python refuses numbers without end
    return re.sub(r"\s+", " ", unescape(short))


def read_pdf(file: BinaryIO) -> Blocks:
    """Read a PDF, page by page."""
    from pypdf import PdfReader

    # It warns of each oddity in a file, thousands of times in a broken one.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("It is encrypted, and opens only with a password.")
        for number, page in enumerate(reader.pages, 1):
            yield number / len(reader.pages), page.extract_text()
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # a broken file breaks pypdf in many ways
        if type(error).__name__ == "DependencyError":
            raise UnreadableError("It is encrypted.") from error
        why = storable(str(error))[:300]
        raise UnreadableError(f"It is a broken PDF: {why}") from error


READERS = {"pdf": read_pdf, "html": read_html, "text": read_text}


def split(text: str) -> Blocks:
    """Split text between paragraphs, and put above each chunk the headings that it stands under."""
    letters = 0
    for headings, body in sections(text):
        for piece in pieces(body):
            letters += len(piece)
            yield letters / len(text), f"{headings}\n{piece}" if headings else piece


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give the paragraphs between two headings, with those above them, as in `Guide > Install`."""
    above: dict[int, str] = {}
    body: list[str] = []
    for paragraph in paragraphs(text):
        if heading := HEADING.match(paragraph):
            yield " > ".join(above.values()), body
            level, title = len(heading[1]), heading[2].strip()[:100]
            above = {k: v for k, v in above.items() if k < level} | {level: title}
            body = [paragraph[heading.end() :]]
        else:
            body.append(paragraph)
    if above and not "".join(body).strip():
        body = [[*above.values()][-1]]
    yield " > ".join(above.values()), body


def paragraphs(text: str) -> Iterator[str]:
    """Give what stands between empty lines."""
    # Not by a pattern: of many empty lines it would try each anew, up to the last.
    for empty, lines in groupby(StringIO(text), str.isspace):
        if not empty:
            yield "".join(lines)


def pieces(body: list[str]) -> Iterator[str]:
    """Gather paragraphs until they are long enough; cut those that are too long between words."""
    gathered = ""
    for paragraph in body:
        for piece in PIECE.findall(paragraph):
            if gathered and len(gathered) + len(piece) > LONGEST:
                yield gathered
                gathered = ""
            gathered = f"{gathered}\n{piece}".lstrip()
    if gathered:
        yield gathered


if __name__ == "__main__":
    main()
