"""Extraction: HTML as people write it, hostile files, broken PDFs."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject

from app.documents.extract import (
    MAX_LENGTH,
    UnreadableError,
    extract_chunks,
    split_into_chunks,
)
from app.documents.extract_process import SCRIPT
from tests.documents.files import MARKDOWN, add_page, pdf

# The letter A means half of a character, D800, and B means NUL.
HALVES = b"""/CIDInit /ProcSet findresource begin 1 dict begin begincmap /CMapType 2 def
1 begincodespacerange <00> <FF> endcodespacerange
2 beginbfchar <41> <D800> <42> <0000> endbfchar endcmap end end"""


def extract(kind: str, content: bytes, folder: Path) -> list[str]:
    """Return the chunks of a file."""
    file = folder / "file"
    file.write_bytes(content)
    return [text for _progress, text in extract_chunks(kind, file)]


def written(writer: PdfWriter) -> bytes:
    """Return a PDF."""
    content = BytesIO()
    writer.write(content)
    return content.getvalue()


def encrypted_pdf() -> bytes:
    """Return a PDF that needs a password."""
    writer = PdfWriter()
    add_page(writer, "secret")
    writer.encrypt("key", algorithm="RC4-128")
    return written(writer)


def pdf_with_halves() -> bytes:
    """Return a PDF with text that no database stores."""
    writer = PdfWriter()
    font = add_page(writer, "mArBk")
    unicode: Any = DecodedStreamObject()
    unicode.set_data(HALVES)
    font[NameObject("/ToUnicode")] = writer._add_object(unicode)
    return written(writer)


UNREADABLE = {
    "nothing": ("text", b"", "It contains no text."),
    "blanks": ("text", b" \n\n ", "It contains no text."),
    "scan": ("pdf", pdf(""), "It contains no text."),
    "encrypted": ("pdf", encrypted_pdf(), "It is encrypted and needs a password."),
    "broken": ("pdf", b"%PDF-1.7\nnothing that follows", "The PDF is broken: "),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_has_a_reason(name: str, tmp_path: Path) -> None:
    kind, content, reason = UNREADABLE[name]
    with pytest.raises(UnreadableError) as error:
        extract(kind, content, tmp_path)
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<head><title>No</title><body>An open head.", "An open head."),
        ('<p title="a > b">One</p><!-- > -->two', "One\ntwo"),
        ("<p>sub<b>ma</b>rine<br>&amp; &lt;b&gt; &#65;", "submarine\n& <b> A"),
        ("<p>&#" + "9" * 5000, "\ufffd"),
        ("<ScRiPt>if (a < b) '</p>'</sCrIpT >end", "end"),
        ("<svg><text>no</text></svg>a < b, c </ d", "a < b, c"),
        ("<p>Cut off <a href='", "Cut off"),
        ("<title/>shown", "shown"),
        ("<h2>Fog</h2>Comes in autumn.", "Fog\nComes in autumn."),
    ],
)
def test_html_gives_what_a_browser_shows(html: str, text: str, tmp_path: Path) -> None:
    assert extract("html", html.encode(), tmp_path) == [text]


def test_text_that_no_database_stores_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(pdf_with_halves())
    [page] = PdfReader(file).pages
    assert {"\ud800", "\0"} <= set(page.extract_text())
    assert list(extract_chunks("pdf", file)) == [(1.0, "mrk")]


def test_utf_16_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert extract("text", "Grüße".encode("utf-16"), tmp_path) == ["Grüße"]


def test_an_odd_pdf_is_read_without_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert extract("pdf", b"@PJL\n" + pdf("Page one."), tmp_path) == ["Page one."]
    assert caplog.messages == []


HOSTILE: dict[str, tuple[str, Callable[[int], str]]] = {
    "empty lines": ("text", lambda n: "a" + "\n" * n + "b"),
    "lines of blanks": ("text", lambda n: "a" + "\n " * n + "b"),
    "hashes": ("text", lambda n: "# " + "#" * n + " " * n),
    "headings": ("text", lambda n: "# a\n\n" * n),
    "elements": ("html", lambda n: "<div>" * n),
    "ends": ("html", lambda n: "<div>" * n + "</b>" * n + "</div>" * n),
    "open tags": ("html", lambda n: "<a " * n),
    "open ends": ("html", lambda n: "</" * n),
    "open values": ("html", lambda n: "<a b='" * n),
    "values": ("html", lambda n: "<a " + "b='c'" * n),
    "open comments": ("html", lambda n: "<!--" * n),
    "dashes": ("html", lambda n: "<!-" + "-" * n),
    "declarations": ("html", lambda n: "<!a <? <![CDATA[" * n),
    "scripts": ("html", lambda n: "<script></script" * n),
    "digits": ("html", lambda n: "&#" + "9" * n + "&#9" * n),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_extraction_takes_linear_time(name: str, tmp_path: Path) -> None:
    kind, make = HOSTILE[name]
    short = cpu_seconds(kind, make(2000), tmp_path)
    assert cpu_seconds(kind, make(8000), tmp_path) / short < 9  # 16 if quadratic


def cpu_seconds(kind: str, content: str, folder: Path) -> float:
    """Return the CPU time of an extraction: the shortest of five."""
    taken = []
    for _ in range(5):
        started = time.process_time()
        with suppress(UnreadableError):
            extract(kind, content.encode(), folder)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("unread", [b"", b"x"])  # broken pipe; connection reset
def test_a_process_without_a_reader_ends_silently(
    unread: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(MARKDOWN)
    reader, output = socket.socketpair()
    output.send(unread)
    reader.close()
    command = [sys.executable, "-P", str(SCRIPT), "text", str(file), "60"]
    with output:
        ended = subprocess.run(
            command, stdout=output.fileno(), stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_chunks_repeat_their_headings_and_lose_no_word() -> None:
    body = " ".join(f"word{number}" for number in range(1000))
    text = f"# Guide\n\nBefore.\n\n## Install\n\n{body}\n\n```sh\n# comment\n```\n"
    first, *rest = [chunk for _progress, chunk in split_into_chunks(text)]
    assert first == "Guide\nBefore."
    assert {chunk.split("\n")[0] for chunk in rest} == {"Guide > Install"}
    words = [word for chunk in rest for word in chunk.split("\n", 1)[1].split()]
    assert words == [*body.split(), "```sh", "#", "comment", "```"]
    assert max(map(len, rest)) <= MAX_LENGTH + len("Guide > Install\n")


def test_a_very_long_word_is_cut() -> None:
    assert list(split_into_chunks("x" * 2000)) == [
        (0.4, "x" * MAX_LENGTH),
        (0.8, "x" * MAX_LENGTH),
        (1.0, "x" * (2000 - 2 * MAX_LENGTH)),
    ]


def test_headings_without_text_are_a_chunk() -> None:
    text = "# Title\n\n## Nothing yet\n"
    progress = len("Nothing yet") / len(text)
    chunk = "Title > Nothing yet\nNothing yet"
    assert list(split_into_chunks(text)) == [(progress, chunk)]
