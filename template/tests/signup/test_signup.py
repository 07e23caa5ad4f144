"""The domain `signup`."""

import asyncio
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import settings
from app.signup.tasks import send_welcome
from tests.servers import Project, wait_for

Calls = list[tuple[str, list[Any], dict[str, Any]]]


def test_the_route_enqueues_the_task(client: TestClient, enqueued: Calls) -> None:
    answer = client.post("/signup", json={"email": "ada@example.com"})
    assert (answer.status_code, list(answer.json())) == (202, ["task_id"])
    assert enqueued == [("signup.send_welcome", [], {"email": "ada@example.com"})]


def test_what_is_no_address_is_refused(client: TestClient, enqueued: Calls) -> None:
    assert client.post("/signup", json={"email": "ada"}).status_code == 422
    assert enqueued == []


def test_without_smtp_the_mail_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "smtp_url", None)
    asyncio.run(send_welcome("ada@example.com"))
    asyncio.run(send_welcome("ada@example.com"))  # as after a crash
    [file] = Path("var/mail").iterdir()
    assert message_from_bytes(file.read_bytes())["To"] == "ada@example.com"


def test_with_smtp_the_mail_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send() -> list[str]:
        received: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(partial(speak_smtp, received), "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(settings, "smtp_url", f"smtp://127.0.0.1:{port}")
        async with server:
            await send_welcome("ada@example.com")
            return await received

    received = asyncio.run(send())
    assert "rcpt to:<ada@example.com>" in [line.lower() for line in received]
    assert "Subject: Welcome" in received


async def speak_smtp(
    received: asyncio.Future[list[str]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Accept one mail, as the shortest possible SMTP server."""
    lines: list[str] = []
    answers = {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}
    writer.write(b"220 test\r\n")
    while line := (await reader.readline()).decode():
        lines.append(line.rstrip("\r\n"))
        writer.write(answers.get(lines[-1].upper(), b"250 ok\r\n"))
        if lines[-1].upper() == "DATA":
            lines += (await reader.readuntil(b"\r\n.\r\n")).decode().splitlines()
            writer.write(b"250 ok\r\n")
    writer.close()
    await writer.wait_closed()
    received.set_result(lines)


def test_the_real_server_does_it(server: Project) -> None:
    folder = server.folder / "var" / "mail"
    assert server.post("/signup", json={"email": "ada@example.com"}).status_code == 202
    wait_for(lambda: folder.exists() and list(folder.glob("*.eml")), "the mail in var/mail")
