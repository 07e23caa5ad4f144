"""Files to upload: good ones and bad ones."""

from io import BytesIO
from typing import Any

from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

NOTES = b"# Harbour\n\nThe lighthouse was built of granite.\n\n# Weather\n\nFog comes in autumn.\n"
PAGE = b"""<!-- made by hand --><!doctype html><html><head><title>No</title><style>p {}</style></head>
<body><h1>Baking</h1><p>Sourdough needs <b>two</b> days.</p><script>alert("no")</script></body></html>
"""


# Says that the letter A stands for half of a letter, D800, and B for none at all.
HALVES = b"""/CIDInit /ProcSet findresource begin 1 dict begin begincmap /CMapType 2 def
1 begincodespacerange <00> <FF> endcodespacerange
2 beginbfchar <41> <D800> <42> <0000> endbfchar endcmap end end"""


def pdf(*pages: str, password: str = "", meanings: bytes = b"") -> bytes:
    """Return a PDF with a line of text on each page, whose letters may mean something else."""
    writer = PdfWriter()
    unicode: Any = DecodedStreamObject()
    unicode.set_data(meanings)
    for text in pages:
        page = writer.add_blank_page(300, 300)
        names = {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica"}
        font = DictionaryObject(
            {NameObject(f"/{k}"): NameObject(f"/{v}") for k, v in names.items()}
        )
        if meanings:
            font[NameObject("/ToUnicode")] = writer._add_object(unicode)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream: Any = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = stream
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    content = BytesIO()
    writer.write(content)
    return content.getvalue()
