"""Removing secrets from texts that others have written, such as errors of a driver."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

HIDDEN = "***"
SHORT = 4  # characters; a shorter secret occurs in ordinary words too
SECRET = r"TOKEN(?!IZ)|PASSW(?:OR)?D|PASSPHRASE|SECRET|KEY"
SECRET_NAME = re.compile(rf"{SECRET}|_PASS$|_PWD$", re.IGNORECASE)
SCHEME = re.compile(r"(?<![\w+.-])[\w+.-]+://")
# Up to the last @ of a word, so that PASSWORD_IN_URL is fast on long texts.
WORD_TO_HOST = re.compile(r"(?<!\S)\S+@")
PASSWORD_IN_URL = re.compile(r"(://[^/\s:]*:)\S+@")
NAMED_SECRET = re.compile(
    rf"(?<![\w.-])([\w.-]*(?:{SECRET}|PASS|PWD)\w*=)"
    r"""('[^']*'|"[^"]*"|[^\s&;'"]+)""",
    re.IGNORECASE,
)
ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(.*)$", re.MULTILINE
)


class Redactor:
    """Hides known secrets, passwords in URLs, and the values of names such as TOKEN."""

    def __init__(self, secrets: Iterable[str]) -> None:
        patterns = []
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= SHORT and secret.strip():
                patterns.append(re.escape(secret))
            elif secret.strip():
                patterns.append(as_value(re.escape(secret)))
        self.known = re.compile("|".join(patterns) or r"(?!)")

    def __call__(self, text: str) -> str:
        """Return a text without secrets."""
        text = WORD_TO_HOST.sub(hide_password, text)
        text = NAMED_SECRET.sub(rf"\1{HIDDEN}", text)
        return self.known.sub(HIDDEN, text)


def as_value(secret: str) -> str:
    """Return the pattern of a short secret, where it is a whole value or a host."""
    quoted = rf"(?<=['\"=]){secret}(?=['\"@&;,\s]|$)"
    return rf"{quoted}|(?<!\S){secret}(?=@)"


def hide_password(word: re.Match[str]) -> str:
    """Return a word without the password of a URL in it."""
    return PASSWORD_IN_URL.sub(rf"\1{HIDDEN}@", word[0])


def find_secrets(environment: Mapping[str, str], dotenv: str) -> set[str]:
    """Return the passwords, tokens and keys in an environment and a `.env`."""
    found = set()
    for name, value in [*environment.items(), *assignments(dotenv)]:
        for secret in secrets_in(name, value):
            found |= spellings(secret)
    return found


def assignments(dotenv: str) -> Iterator[tuple[str, str]]:
    """Yield the names in a `.env`, each with its value, with and without a comment."""
    for name, value in ASSIGNMENT.findall(dotenv):
        for text in (value, value.split(" #")[0]):
            yield name, text.strip().strip("'\"")


def secrets_in(name: str, value: str) -> Iterator[str]:
    """Yield what is secret in a variable: its value, or the passwords in its URLs."""
    if SECRET_NAME.search(name):
        yield value
    for url in re.split(r"[;,\s](?=[\w+.-]+://)", value):
        for address in SCHEME.split(url)[1:]:
            password = address.rpartition("@")[0].partition(":")[2]
            # Drivers take parts of a password with @ or / for a host, and show them.
            yield from (password, *re.split(r"[@:/?#]", password))
        for _, secret in NAMED_SECRET.findall(url):
            yield secret.strip("'\"")


def spellings(secret: str) -> set[str]:
    """Return a secret as it is, decoded, encoded and as Python quotes it."""
    decoded = unquote(secret)
    return {
        secret,
        decoded,
        quote(decoded),
        quote(decoded, safe=""),
        repr(decoded)[1:-1],
        repr(secret)[1:-1],
    }
