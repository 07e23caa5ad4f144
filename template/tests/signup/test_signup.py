"""Tests of the domain `signup`: its task in this process, and in the real processes."""

import asyncio
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from afterward.testing import Server, wait_for
from app.settings import settings
from app.signup.tasks import send_welcome

ADA = {"email": "ada@example.com"}


def test_the_mail_of_a_request_is_written(
    client: TestClient,
    run_enqueued: Callable[[], list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert client.post("/signup", json=ADA).status_code == 202
    assert run_enqueued() == [None]  # 3. run it here and now, and return the results
    [file] = Path("var/mail").iterdir()
    assert message_from_bytes(file.read_bytes())["To"] == "ada@example.com"


def test_the_real_processes_write_the_mail(server: Server) -> None:
    assert server.post("/signup", json=ADA).status_code == 202
    # 4. the API, and a worker if the pattern has one: wait for what the task leaves
    folder = server.folder / "var" / "mail"
    wait_for(lambda: list(folder.glob("*.eml")), "the mail")


def test_an_invalid_address_is_refused(client: TestClient) -> None:
    assert client.post("/signup", json={"email": "ada"}).status_code == 422


def test_a_task_that_runs_twice_writes_one_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(send_welcome("ada@example.com"))
    asyncio.run(send_welcome("ada@example.com"))  # as after a crash
    assert len(list(Path("var/mail").iterdir())) == 1


def test_with_smtp_url_the_mail_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send_to_test_server() -> list[str]:
        received: asyncio.Future[list[str]] = asyncio.Future()
        server = await asyncio.start_server(
            lambda *streams: speak_smtp(received, *streams), "127.0.0.1"
        )
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(settings, "smtp_url", f"smtp://127.0.0.1:{port}")
        async with server:
            await send_welcome("ada@example.com")
            return await received

    received = asyncio.run(send_to_test_server())
    assert "RCPT TO:<ada@example.com>" in received
    assert "Subject: Welcome" in received


async def speak_smtp(
    received: asyncio.Future[list[str]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Accept one mail, as the shortest possible SMTP server."""
    replies = {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}
    lines: list[str] = []
    writer.write(b"220 test\r\n")
    while line := (await reader.readline()).decode():
        lines.append(line.rstrip("\r\n"))
        writer.write(replies.get(lines[-1].upper(), b"250 ok\r\n"))
        if lines[-1].upper() == "DATA":
            lines += (await reader.readuntil(b"\r\n.\r\n")).decode().splitlines()
            writer.write(b"250 ok\r\n")
    writer.close()
    await writer.wait_closed()
    received.set_result(lines)
