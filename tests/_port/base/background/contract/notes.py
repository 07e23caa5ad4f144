"""Rows of this domain, and the marks it leaves for the tests."""

import os

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Note(Base):
    """A row; its parent is checked at COMMIT, which lets a test make the COMMIT itself fail."""

    __tablename__ = "contract_notes"

    id: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None] = mapped_column(
        ForeignKey("contract_notes.id", deferrable=True, initially="DEFERRED")
    )


def mark(line: str) -> None:
    """Append one line, whole, whichever process writes it."""
    file = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)
