"""Secrets: which are found in an environment, and how texts are shown."""

import time

import pytest

from bgscaffold.doctor.redaction import Redactor, find_secrets


def hidden(text: str, dotenv: str = "", **environment: str) -> str:
    """Return a text without the secrets of an environment."""
    return Redactor(find_secrets(environment, dotenv))(text)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:geheim@host/db",
        "postgresql://u:p@geheim@host/db",
        "postgresql://u:geheim@p@host/db",
        "postgresql://u:ge/heim?x#geheim@host/db",
        "postgresql://host/db?user=u&password=geheim&sslmode=require",
        "postgresql:///db?sslpassword=geheim",
        "redis://:geheim@host/0",
        "redis://h/0?access_token=geheim",
        "redis://:geheim@one/0;redis://:geheim@two/0",
        "x://u@h y://u:geheim@h",
    ],
)
def test_a_url_is_shown_without_its_password(url: str) -> None:
    assert "geheim" in url
    assert "heim" not in hidden(f"cannot reach '{url}', as it says")
    assert "heim" not in hidden(url)


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        # SQLAlchemy takes a part of the password for the host, and psycopg shows it.
        (
            "postgresql://u:p@ss@host/db",
            'could not translate host name "ss@host" to address',
            'could not translate host name "***@host" to address',
        ),
        (
            "x://u:p@ss@host/db",
            "no host is called ss@host",
            "no host is called ***@host",
        ),
        (
            "x://u:p@ss:w@host",
            "invalid literal: 'w@host'",
            "invalid literal: '***@host'",
        ),
        # Kombu shows the part of a password before a #.
        (
            "redis://:p#w@host",
            "Port could not be cast to integer value as 'p'",
            "Port could not be cast to integer value as '***'",
        ),
        ("x://u:gehe%40im@h", "tried gehe@im and gehe%40im", "tried *** and ***"),
        ("x://u:gehe@im@h", "tried gehe%40im", "tried ***"),
        ("x://h?password=gehe%2Fim", "tried 'gehe/im'", "tried '***'"),
        ("x://u:gehe\\im'x@h", repr("gehe\\im'x"), '"***"'),
    ],
)
def test_a_part_of_a_password_is_not_shown_either(
    url: str, text: str, shown: str
) -> None:
    assert hidden(text, DATABASE_URL=url) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("ADMIN_TOKEN", "LLM_API_KEY", "EMBEDDER_KEY", "OPENAI_API_KEY", "PGPASSWORD"),
        *(
            "APP_SECRET",
            "APIKEY",
            "SMTP_PASS",
            "MYSQL_PWD",
            "REDIS_PASSWD",
            "ssh_passphrase",
        ),
    ],
)
def test_a_variable_is_secret_because_of_its_name(name: str) -> None:
    assert hidden("wrong: geheim", **{name: "geheim"}) == "wrong: ***"
    assert hidden("wrong: geheim", f"{name}=geheim") == "wrong: ***"


@pytest.mark.parametrize(
    "name", ["PWD", "OLDPWD", "COMPASS", "CHAT_PASSAGES", "TOKENIZERS_X"]
)
def test_other_variables_are_shown(name: str) -> None:
    assert hidden("in /home/ada", **{name: "/home/ada"}) == "in /home/ada"


@pytest.mark.parametrize(
    "line",
    [
        "ADMIN_TOKEN=geheim",
        " export ADMIN_TOKEN = geheim ",
        "ADMIN_TOKEN='geheim' # mine",
        'ADMIN_TOKEN="geheim"',
        "ADMIN_TOKEN=geheim # mine",
        'A=1\r\nADMIN_TOKEN=geheim\r\nDATABASE_URL=""',
    ],
)
def test_a_dotenv_contains_secrets(line: str) -> None:
    assert hidden("wrong: geheim!", line) == "wrong: ***!"


@pytest.mark.parametrize("secret", ["a", "1", "on", "ted", "***", "*", ".", " "])
def test_a_short_secret_leaves_words_as_they_are(secret: str) -> None:
    text = "1 started, 1 (one) at port 1: a database on localhost.example *** is ok"
    assert hidden(text, ADMIN_TOKEN=secret, DATABASE_URL=f"x://u:{secret}@h") == text


def test_a_short_secret_is_hidden_where_it_is_a_whole_value() -> None:
    text = "not 'abc', \"abc\", x=abc, ?x=abc&y=1, abc@host; abcd, 'abcd', dabc@h, abc"
    assert hidden(text, ADMIN_TOKEN="abc") == (
        "not '***', \"***\", x=***, ?x=***&y=1, ***@host; abcd, 'abcd', dabc@h, abc"
    )


def test_the_longest_secret_is_hidden_first() -> None:
    assert hidden("geheimnis geheim", A_KEY="geheim", B_KEY="geheimnis") == "*** ***"


def test_a_value_is_hidden_after_the_name_of_a_secret() -> None:
    text = "host=h password=geheim dbname=x ADMIN_TOKEN='ge heim' pwd=\"ge heim\" key=, work=1"
    redacted = "host=h password=*** dbname=x ADMIN_TOKEN=*** pwd=*** key=***, work=1"
    assert hidden(text.replace("key=,", "key=k ,")) == redacted.replace(
        "***, work", "*** , work"
    )


def test_texts_without_secrets_are_shown() -> None:
    text = "postgresql://ada@localhost:5432/shop, http://localhost:8000/x, mail to ada@example.com"
    assert hidden(text, EMPTY_TOKEN="", PATH="/bin") == text


def test_long_values_are_fast() -> None:
    started = time.monotonic()
    hidden("x", LONG="a" * 1_000_000, DOTTED="a.b," * 200_000, URLS="x://" * 100_000)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("end", ["", "@", " @", ":@"])
def test_long_texts_are_fast(end: str) -> None:
    started = time.monotonic()
    hidden("://a:" * 100_000 + end)
    assert time.monotonic() - started < 5
