"""Reads a document and splits it into chunks, in a process of its own.

To read a PDF takes seconds of pure computing, which in the web process would hold up every request,
and a file that was made to do harm may want all memory there is. This process has limits, and dies
alone. It prints a line of JSON for each chunk; `reading.py` starts it. So it imports nothing of the
application, which would take longer than most documents.
"""

import json
import os
import re
import resource
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

LONGEST = 800  # letters of a chunk, besides the headings above it
MEMORY = 1_500_000_000  # bytes
PIECE = re.compile(r"\S(?:.{0,798}\S)?(?=\s|$)|\S{800}", re.DOTALL)  # whole words, if it can be
HEADING = re.compile(r"(?:\A|\n\s*\n)[ ]{0,3}(#{1,6})[ ]+(.+)")  # in code, # is a comment
Blocks = Iterator[tuple[float, str]]  # how much of the document has been read then, and text


class UnreadableError(Exception):
    """A document that will never be read, however often it is tried: the message says why."""


def main() -> None:
    """Print the chunks of a document, or why there are none."""
    kind, path, seconds = sys.argv[1:]
    os.nice(10)  # requests come first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(float(seconds)) + 1,) * 2)
    try:
        for done, text in chunks(kind, Path(path)):
            print(json.dumps({"done": done, "text": text}))
    except UnreadableError as error:
        print(json.dumps({"error": str(error)}))
    except MemoryError:
        print(json.dumps({"error": "It takes more memory than a document may."}))


def chunks(kind: str, path: Path) -> Blocks:
    """Give the chunks of a document, each with how much of the document has been read.

    Raises:
        UnreadableError: It is broken or encrypted, or holds no text.
    """
    empty = True
    for done, text in READERS[kind](path):
        for chunk in split(text.replace("\0", "")):
            empty = False
            yield done, chunk
    if empty:
        raise UnreadableError("It holds no text.")


def read_text(path: Path) -> Blocks:
    """Read text, Markdown too: UTF-8, or UTF-16 with its mark."""
    content = path.read_bytes()
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    yield 1.0, content.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")


def read_html(path: Path) -> Blocks:
    """Read what a browser would show of HTML; its headings become those of Markdown."""
    page = _Page()
    for _done, text in read_text(path):
        page.feed(text)
    page.close()
    yield 1.0, "".join(page.text)


class _Page(HTMLParser):
    """Gathers the text of a page, with an empty line around each block."""

    UNSEEN = frozenset(["head", "noscript", "script", "style", "svg", "template"])
    INLINE = frozenset(
        [
            "a",
            "abbr",
            "b",
            "code",
            "em",
            "i",
            "img",
            "kbd",
            "label",
            "mark",
            "q",
            "s",
            "small",
            "span",
            "strong",
            "sub",
            "sup",
            "u",
        ]
    )

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Begin a block."""
        self._unseen += tag in self.UNSEEN
        if tag not in self.INLINE:
            self.text.append("\n\n")
        if re.fullmatch(r"h[1-6]", tag):
            self.text.append("#" * int(tag[1]) + " ")

    def handle_endtag(self, tag: str) -> None:
        """End a block."""
        self._unseen = max(0, self._unseen - (tag in self.UNSEEN))
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Take the text in between, without the line breaks of its source."""
        if not self._unseen:
            self.text.append(re.sub(r"\s+", " ", data))


def read_pdf(path: Path) -> Blocks:
    """Read a PDF, page by page."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("It is encrypted, and opens only with a password.")
        for number, page in enumerate(reader.pages, 1):
            yield number / len(reader.pages), page.extract_text()
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # a broken file breaks pypdf in many ways
        if type(error).__name__ == "DependencyError":
            raise UnreadableError("It is encrypted.") from error
        raise UnreadableError(f"It is a broken PDF: {error}") from error


READERS = {"pdf": read_pdf, "html": read_html, "text": read_text}


def split(text: str) -> Iterator[str]:
    """Split text between paragraphs, and put above each chunk the headings that it stands under."""
    for headings, body in sections(text):
        for piece in pieces(body):
            yield f"{headings}\n{piece}" if headings else piece


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Give what stands between two headings, with those above it, as in `Guide > Install`."""
    above: dict[int, str] = {}
    start = 0
    for heading in HEADING.finditer(text):
        yield " > ".join(above.values()), text[start : heading.start()]
        level = len(heading[1])
        above = {k: v for k, v in above.items() if k < level} | {level: heading[2].strip()[:100]}
        start = heading.end()
    rest = text[start:]
    yield " > ".join(above.values()), rest if rest.strip() or not above else above.popitem()[1]


def pieces(body: str) -> Iterator[str]:
    """Gather paragraphs until they are long enough; cut those that are too long between words."""
    gathered = ""
    for paragraph in re.split(r"\n\s*\n", body):
        for piece in PIECE.findall(paragraph):
            if gathered and len(gathered) + len(piece) > LONGEST:
                yield gathered
                gathered = ""
            gathered = f"{gathered}\n{piece}".lstrip()
    if gathered:
        yield gathered


if __name__ == "__main__":
    main()
