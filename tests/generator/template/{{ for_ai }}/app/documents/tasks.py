"""Reading uploaded documents."""

from app.background import task


@task("documents.process")
def process(document_id: int) -> None:
    """Extract the text of a document, and embed it."""
