"""Tasks of the domain `signup`. An `async def` task awaits everything that is slow."""

from email.message import EmailMessage
from hashlib import sha256
from urllib.parse import unquote, urlsplit

import aiosmtplib
import anyio

from afterward import task
from app.settings import settings


@task("signup.send_welcome")
async def send_welcome(email: str) -> None:
    """Send the welcome mail. Without SMTP_URL, write it to var/mail/."""
    message = create_welcome(email)
    if settings.smtp_url:
        await send(message, settings.smtp_url)
    else:
        await write(message)


def create_welcome(email: str) -> EmailMessage:
    """Return the mail.

    After a crash the task may run twice. Both mails have the same Message-ID, by which
    mail systems recognise the copy.
    """
    key = sha256(email.encode()).hexdigest()[:32]
    message = EmailMessage()
    message["Message-ID"] = f"<welcome-{key}@localhost>"
    message["From"] = "hello@localhost"
    message["To"] = email
    message["Subject"] = "Welcome"
    message.set_content("Good to have you with us.")
    return message


async def send(message: EmailMessage, url: str) -> None:
    """Send a mail through an SMTP server."""
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


async def write(message: EmailMessage) -> None:
    """Write a mail to a file. The same mail is the same file."""
    folder = anyio.Path("var/mail")
    await folder.mkdir(parents=True, exist_ok=True)
    name = message["Message-ID"].split("@")[0].strip("<")
    await (folder / f"{name}.eml").write_bytes(message.as_bytes())
