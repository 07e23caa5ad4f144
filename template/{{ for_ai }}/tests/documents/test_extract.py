"""Reading and splitting, without a process or a database."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import HTTPException
from pypdf import PdfReader

from app.documents.extract import LONGEST, UnreadableError, chunks, split
from app.documents.files import BLOCK, shown_name, sniff
from app.documents.reading import SCRIPT
from tests.documents.files import HALVES, NOTES, PAGE, pdf


def read(kind: str, content: bytes, folder: Path) -> list[str]:
    """Return the chunks of a file."""
    file = folder / "file"
    file.write_bytes(content)
    return [text for _done, text in chunks(kind, file)]


def test_markdown_is_split_at_its_headings(tmp_path: Path) -> None:
    assert read("text", NOTES, tmp_path) == [
        "Harbour\nThe lighthouse was built of granite.",
        "Weather\nFog comes in autumn.",
    ]


def test_of_html_is_read_what_a_browser_shows(tmp_path: Path) -> None:
    assert read("html", PAGE, tmp_path) == ["Baking\nSourdough needs two days."]


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(pdf("Page one.", "Page two."))
    assert list(chunks("pdf", file)) == [(0.5, "Page one."), (1.0, "Page two.")]


def test_progress_is_how_much_of_the_letters_has_been_split(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(NOTES)
    granite, fog = "The lighthouse was built of granite.", "Fog comes in autumn."
    assert list(chunks("text", file)) == [
        (len(granite) / len(NOTES), f"Harbour\n{granite}"),
        (len(granite + fog) / len(NOTES), f"Weather\n{fog}"),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<head><title>No</title><body>An open head.", "An open head."),
        ('<p title="a > b">One</p><!-- > -->two', "One\ntwo"),
        (
            "<p>sub<b>ma</b>rine<br>&amp; &lt;b&gt; &#65;&#" + "9" * 5000,
            "submarine\n& <b> A\ufffd",
        ),
        ("<ScRiPt>if (a < b) '</p>'</sCrIpT >end", "end"),
        ("<svg><text>no</text></svg>a < b, c </ d", "a < b, c"),
        ("<p>Cut off <a href='", "Cut off"),
    ],
)
def test_html_as_people_write_it_is_read(page: str, text: str, tmp_path: Path) -> None:
    assert read("html", page.encode(), tmp_path) == [text]


def test_what_no_database_takes_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(pdf("mArBk", meanings=HALVES))
    [found] = reader_of(file)
    assert {"\ud800", "\0"} <= set(found)
    assert list(chunks("pdf", file)) == [(1.0, "mrk")]


def reader_of(file: Path) -> list[str]:
    """Return what the package itself reads of each page of a PDF."""
    return [page.extract_text() for page in PdfReader(file).pages]


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
def test_a_file_four_times_as_long_takes_about_four_times_as_long(
    name: str, tmp_path: Path
) -> None:
    kind, make = HOSTILE[name]
    ratio = seconds(kind, make(8000), tmp_path) / seconds(kind, make(2000), tmp_path)
    assert (
        ratio < 9
    )  # where each part is looked at again for every other it would be 16


def seconds(kind: str, content: str, folder: Path) -> float:
    """Return how long a file is computed on; at the best of five times nothing else came between."""
    taken = []
    for _ in range(5):
        begun = time.process_time()
        with suppress(UnreadableError):
            read(kind, content.encode(), folder)
        taken.append(time.process_time() - begun)
    return min(taken)


def test_utf_16_with_its_mark_is_read(tmp_path: Path) -> None:
    assert read("text", "Grüße".encode("utf-16"), tmp_path) == ["Grüße"]


BAD = {
    "nothing": ("text", b"", "It holds no text."),
    "blanks": ("text", b" \n\n ", "It holds no text."),
    "scan": ("pdf", pdf(""), "It holds no text."),
    "encrypted": (
        "pdf",
        pdf("secret", password="key"),
        "It is encrypted, and opens only with a password.",
    ),
    "broken": ("pdf", b"%PDF-1.7\nnothing that follows", "It is a broken PDF: "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_says_why(name: str, tmp_path: Path) -> None:
    kind, content, reason = BAD[name]
    with pytest.raises(UnreadableError) as refusal:
        read(kind, content, tmp_path)
    assert str(refusal.value).startswith(reason)


def test_of_what_is_odd_in_a_pdf_nothing_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read("pdf", b"@PJL\n" + pdf("Page one."), tmp_path) == ["Page one."]
    assert caplog.messages == []


@pytest.mark.parametrize("unread", [b"", b"x"])  # broken pipe; connection reset
def test_a_reader_that_nobody_reads_ends_without_a_word(
    unread: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(NOTES)
    ours, its = socket.socketpair()
    its.send(unread)
    ours.close()
    command = [sys.executable, "-P", str(SCRIPT), "text", str(file), "60"]
    with its:
        out = its.fileno()
        ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_chunks_stand_under_their_headings_and_lose_no_word() -> None:
    body = " ".join(f"word{n}" for n in range(1000))
    text = f"# Guide\n\nBefore.\n\n## Install\n\n{body}\n\n```sh\n# no heading\n```\n"
    first, *rest = [chunk for _share, chunk in split(text)]
    assert first == "Guide\nBefore."
    assert {chunk.split("\n")[0] for chunk in rest} == {"Guide > Install"}
    words = [word for chunk in rest for word in chunk.split("\n", 1)[1].split()]
    assert words == [*body.split(), "```sh", "#", "no", "heading", "```"]
    assert max(map(len, rest)) <= LONGEST + len("Guide > Install\n")


def test_a_word_without_end_is_cut() -> None:
    assert list(split("x" * 2000)) == [
        (0.4, "x" * LONGEST),
        (0.8, "x" * LONGEST),
        (1.0, "x" * (2000 - 2 * LONGEST)),
    ]


def test_a_document_of_headings_is_one_too() -> None:
    text = "# Title\n\n## Nothing yet\n"
    share = len("Nothing yet") / len(text)
    assert list(split(text)) == [(share, "Title > Nothing yet\nNothing yet")]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (pdf("text")[:100], "pdf"),
        (PAGE, "html"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "html"),
        (NOTES, "text"),
        (b"<b>text that begins with a tag", "text"),
        (b"", "text"),
        (b"A PDF begins with %PDF-1.7, this does not.", "text"),
        (b"\xef\xbb\xbf\r\n %PDF-1.7\n", "pdf"),
        (b"@PJL\n%PDF-1.7\n%\xe2\xe3\xcf\xd3", "pdf"),
        (b"x" + "é".encode() * (BLOCK // 2 - 1) + "é".encode()[:1], "text"),
        ("Grüße".encode("utf-16"), "text"),
    ],
)
def test_the_kind_is_what_the_content_says(start: bytes, kind: str) -> None:
    assert sniff(start) == kind


NO_TEXT = (
    "This is no PDF, and no HTML or text in UTF-8, or in UTF-16 with its mark."
    " Save it as UTF-8, if it is a text."
)


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n\0",
        b"MZ\x90\0",
        b"\xff\xd8\xff\xe0",
        "café".encode("latin-1"),
        "é".encode("utf-16")[:-1],
    ],
)
def test_what_is_no_text_is_refused(start: bytes) -> None:
    with pytest.raises(HTTPException) as refusal:
        sniff(start)
    assert (refusal.value.status_code, refusal.value.detail) == (415, NO_TEXT)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\secret\\notes.md", "notes.md"),
        ("a\0b\nc.txt", "abc.txt"),
        ("..", ".."),
        ("x" * 300, "x" * 255),
        ("/", "unnamed"),
        (None, "unnamed"),
    ],
)
def test_a_file_name_is_only_shown(name: str | None, shown: str) -> None:
    assert shown_name(name) == shown
