"""Tasks of the domain `signup`. An `async def` task awaits its I/O and never blocks."""

from email.message import EmailMessage
from hashlib import sha256
from urllib.parse import unquote, urlsplit

import aiosmtplib
import anyio

from afterward import task
from app.settings import settings


@task("signup.send_welcome")
async def send_welcome(email: str) -> None:
    """Send the welcome mail through SMTP_URL or, when that is not set, write it to var/mail/."""
    message = _welcome(email)
    if settings.smtp_url:
        await _send(message, settings.smtp_url)
    else:
        await _write(message)


def _welcome(email: str) -> EmailMessage:
    # A task may run twice after a crash. The same address gives the same Message-ID, by which mail
    # systems can tell the second copy.
    key = sha256(email.encode()).hexdigest()[:32]
    message = EmailMessage()
    message["Message-ID"] = f"<welcome-{key}@localhost>"
    message["From"] = "hello@localhost"
    message["To"] = email
    message["Subject"] = "Welcome"
    message.set_content("Good to have you with us.")
    return message


async def _send(message: EmailMessage, url: str) -> None:
    server = urlsplit(url)
    await aiosmtplib.send(
        message,
        hostname=server.hostname,
        port=server.port,
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        timeout=20,
    )


async def _write(message: EmailMessage) -> None:
    folder = anyio.Path("var/mail")
    await folder.mkdir(parents=True, exist_ok=True)
    name = message["Message-ID"].split("@")[0].strip("<")
    await (folder / f"{name}.eml").write_bytes(message.as_bytes())
