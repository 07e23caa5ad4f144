"""Extraction of text from files, without a process or a database."""

from pathlib import Path

import pytest

from app.documents.extract import UnreadableError, extract_chunks, split_into_chunks
from tests.documents.files import HTML, MARKDOWN, pdf


def extract(kind: str, content: bytes, folder: Path) -> list[tuple[float, str]]:
    """Return the chunks of a file, with the progress of each."""
    file = folder / "file"
    file.write_bytes(content)
    return [(round(done, 2), text) for done, text in extract_chunks(kind, file)]


def test_each_chunk_starts_with_its_headings(tmp_path: Path) -> None:
    assert extract("text", MARKDOWN, tmp_path) == [
        (0.47, "Harbour\nThe lighthouse is built of granite."),
        (0.66, "Weather\nFog in autumn."),
    ]


def test_html_gives_its_visible_text(tmp_path: Path) -> None:
    [(_done, text)] = extract("html", HTML, tmp_path)
    assert text == "Baking\nSourdough needs two days."


def test_a_pdf_gives_its_pages(tmp_path: Path) -> None:
    chunks = extract("pdf", pdf("Page one.", "Page two."), tmp_path)
    assert chunks == [(0.5, "Page one."), (1.0, "Page two.")]


def test_long_text_is_cut_between_words() -> None:
    words = [f"word{number}" for number in range(1000)]
    chunks = [text for _done, text in split_into_chunks(" ".join(words))]
    assert " ".join(chunks).split() == words
    assert max(len(text) for text in chunks) <= 800


def test_a_broken_pdf_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="^The PDF is broken: "):
        extract("pdf", b"%PDF-1.7\nbroken", tmp_path)
