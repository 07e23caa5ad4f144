"""Rows of this domain, and the marks that show what has run."""

# mypy: disable-error-code="import-not-found,misc"

import os

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Note(Base):
    """A row. Its parent is checked at COMMIT, so a test can make the COMMIT fail."""

    __tablename__ = "bgscaffold_contract_notes"

    id: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None] = mapped_column(
        ForeignKey(
            "bgscaffold_contract_notes.id", deferrable=True, initially="DEFERRED"
        )
    )


def mark(line: str) -> None:
    """Append one line, whole, from any process."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    file = os.open(os.environ["BGSCAFFOLD_MARKS"], flags)
    os.write(file, f"{line}\n".encode())
    os.close(file)
