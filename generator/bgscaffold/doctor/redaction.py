"""What is secret in a project's environment, and how a text is told without it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

HIDDEN = "***"
SHORT = 4  # characters; what has fewer stands within many a word that is no secret
WORD = r"TOKEN(?!IZ)|PASSW(?:OR)?D|PASSPHRASE|SECRET|KEY"
SECRET_NAMES = re.compile(rf"{WORD}|_PASS$|_PWD$", re.IGNORECASE)
# Names begin where words do: from each letter on, a search through a long value would take for ever.
URLS = ("DATABASE_URL", "BROKER_URL", "SMTP_URL")
SCHEME = re.compile(r"(?<![\w+.-])[\w+.-]+://")
# Up to the last @ of a word: there IN_URL finds one at once, and alone it would search for ever.
TO_A_HOST = re.compile(r"(?<!\S)\S+@")
IN_URL = re.compile(r"(://[^/\s:]*:)\S+@")
IN_QUERY = re.compile(
    rf"(?<![\w.-])([\w.-]*(?:{WORD}|PASS|PWD)\w*=)('[^']*'|\"[^\"]*\"|[^\s&;'\"]+)",
    re.IGNORECASE,
)
LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*
    (?: '((?:[^'\\]|\\.)*)' | "((?:[^"\\]|\\.)*)" | ([^\r\n]*) )""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)


class Redactor:
    """Takes secrets out of texts: those that it is given, and whatever a URL has for a password."""

    def __init__(self, secrets: Iterable[str]) -> None:
        longest = sorted(
            {each for each in secrets if each.strip()}, key=len, reverse=True
        )
        anywhere = "|".join(re.escape(each) for each in longest if len(each) >= SHORT)
        a_value = "|".join(re.escape(each) for each in longest if len(each) < SHORT)
        # Within quotes, after a =, or before the @ of a host: there a short one is told as a value.
        short = rf"(?<=['\"=])(?:{a_value})(?=['\"@&;,\s]|$)|(?<!\S)(?:{a_value})(?=@)"
        found = [anywhere] * bool(anywhere) + [short] * bool(a_value)
        self.secret = re.compile("|".join(found) or r"(?!)")

    def __call__(self, text: str) -> str:
        """Return a text without the secrets."""
        text = TO_A_HOST.sub(lambda found: IN_URL.sub(rf"\1{HIDDEN}@", found[0]), text)
        return self.secret.sub(HIDDEN, IN_QUERY.sub(rf"\1{HIDDEN}", text))


def find_secrets(environment: Mapping[str, str], dotenv: str) -> set[str]:
    """Return every password, token and key in the environment and in a .env, however it is spelt."""
    given = [*environment.items(), *assignments(dotenv)]
    parts = {part for name, value in given for part in secret_parts(name, value)}
    return {form for part in parts for form in secret_variants(part)}


def assignments(dotenv: str) -> Iterator[tuple[str, str]]:
    """Give the names in a .env, each with whatever may be taken for its value."""
    for name, single, double, plain in LINE.findall(dotenv):
        value = single or double or plain.strip()
        without_comment = re.split(r"\s#", plain)[0]
        unescaped = re.sub(r"\\(.)", r"\1", value)
        for each in (value, without_comment, unescaped, *value.splitlines()):
            yield name, each.strip().strip("'\"")


def secret_parts(name: str, value: str) -> Iterator[str]:
    """Give what is secret in a variable: all of it, or the passwords of the URLs in it."""
    if SECRET_NAMES.search(name):
        yield value
    if (
        name.upper() in URLS and "://" not in value
    ):  # a password that stands in the wrong place
        yield from password_parts(value)
    for url in re.split(r"[;,\s](?=[\w+.-]+://)", value):
        for address in SCHEME.split(url)[1:]:
            yield from password_parts(address.rpartition("@")[0].partition(":")[2])
        yield from (found.strip("'\"") for _name, found in IN_QUERY.findall(url))


def password_parts(password: str) -> Iterator[str]:
    """Give a password, and the parts that a parser may take for a host, a port or a path."""
    yield password
    yield from re.split(r"[@:/?#]", password)


def secret_variants(secret: str) -> set[str]:
    """Return a secret as it is given, decoded, encoded again, and as Python shows it."""
    decoded = unquote(secret)
    encoded = {quote(decoded, safe=""), quote(decoded)}
    return {secret, decoded, repr(decoded)[1:-1], repr(secret)[1:-1], *encoded}
