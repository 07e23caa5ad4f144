"""Reading and splitting, without a process or a database."""

from pathlib import Path

import pytest
from fastapi import HTTPException

from app.documents.extract import LONGEST, UnreadableError, chunks, split
from app.documents.files import shown_name, sniff
from tests.documents.files import NOTES, PAGE, pdf


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


def test_chunks_stand_under_their_headings_and_lose_no_word() -> None:
    body = " ".join(f"word{n}" for n in range(1000))
    text = f"# Guide\n\nBefore.\n\n## Install\n\n{body}\n\n```sh\n# no heading\n```\n"
    first, *rest = split(text)
    assert first == "Guide\nBefore."
    assert {chunk.split("\n")[0] for chunk in rest} == {"Guide > Install"}
    words = [word for chunk in rest for word in chunk.split("\n", 1)[1].split()]
    assert words == [*body.split(), "```sh", "#", "no", "heading", "```"]
    assert max(map(len, rest)) <= LONGEST + len("Guide > Install\n")


def test_a_word_without_end_is_cut() -> None:
    assert [len(chunk) for chunk in split("x" * 2000)] == [LONGEST, LONGEST, 2000 - 2 * LONGEST]


def test_a_document_of_headings_is_one_too() -> None:
    assert list(split("# Title\n\n## Nothing yet\n")) == ["Title > Nothing yet\nNothing yet"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (pdf("text")[:100], "pdf"),
        (PAGE, "html"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "html"),
        (NOTES, "text"),
        (b"<b>text that begins with a tag", "text"),
        (b"", "text"),
        ("é".encode() * 2000 + "é".encode()[:1], "text"),
        ("Grüße".encode("utf-16"), "text"),
    ],
)
def test_the_kind_is_what_the_content_says(start: bytes, kind: str) -> None:
    assert sniff(start) == kind


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n\0", b"MZ\x90\0", b"\xff\xd8\xff\xe0"])
def test_what_is_no_text_is_refused(start: bytes) -> None:
    with pytest.raises(HTTPException) as refusal:
        sniff(start)
    assert refusal.value.status_code == 415


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
