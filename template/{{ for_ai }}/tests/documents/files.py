"""Files for tests, and how a test uploads them."""

from io import BytesIO
from typing import Any

from fastapi.testclient import TestClient
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from afterward.testing import Server

MARKDOWN = (
    b"# Harbour\n\nThe lighthouse is built of granite.\n\n# Weather\n\nFog in autumn.\n"
)
HTML = b"""<!doctype html><html><head><title>Hidden</title></head>
<body><h1>Baking</h1><p>Sourdough needs <b>two</b> days.</p></body></html>
"""


def upload(client: TestClient | Server, content: bytes, name: str = "file") -> str:
    """Upload a document, and return its id."""
    response = client.post("/documents", files={"file": (name, content)})
    assert response.status_code == 202, response.text
    document_id: str = response.json()["document_id"]
    return document_id


def pdf(*pages: str) -> bytes:
    """Return a PDF with one line of text on each page."""
    writer = PdfWriter()
    for text in pages:
        add_page(writer, text)
    content = BytesIO()
    writer.write(content)
    return content.getvalue()


def add_page(writer: PdfWriter, text: str) -> DictionaryObject:
    """Add a page with one line of text, and return its font."""
    page = writer.add_blank_page(300, 300)
    font = dictionary(Type="Font", Subtype="Type1", BaseFont="Helvetica")
    fonts = DictionaryObject({NameObject("/F1"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream: Any = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = stream
    return font


def dictionary(**names: str) -> DictionaryObject:
    """Return a dictionary of PDF names."""
    return DictionaryObject(
        {NameObject(f"/{key}"): NameObject(f"/{name}") for key, name in names.items()}
    )
