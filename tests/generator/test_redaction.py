"""Secrets: which are found in an environment, and what is told without them."""

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
def test_a_url_is_told_without_its_password(url: str) -> None:
    assert "geheim" in url
    assert "heim" not in hidden(f"cannot reach '{url}', as it says")
    assert "heim" not in hidden(url)


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        # What SQLAlchemy takes for the host, and what psycopg says of it.
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
        # What kombu says of a password with a #.
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
def test_a_part_of_a_password_is_not_told_either(
    url: str, said: str, told: str
) -> None:
    assert hidden(said, DATABASE_URL=url) == told


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
def test_a_variable_is_secret_by_its_name(name: str) -> None:
    assert hidden("wrong: geheim", **{name: "geheim"}) == "wrong: ***"
    assert hidden("wrong: geheim", f"{name}=geheim") == "wrong: ***"


@pytest.mark.parametrize(
    "value", ["geheim", "u:geheim@host/db", "postgresql:u:geheim@host"]
)
def test_what_should_be_a_url_may_be_a_secret(value: str) -> None:
    assert hidden("wrong: geheim...", DATABASE_URL=value) == "wrong: ***..."
    assert hidden("wrong: geheim...", HOME_PAGE=value) == "wrong: geheim..."


@pytest.mark.parametrize(
    "name", ["PWD", "OLDPWD", "COMPASS", "CHAT_PASSAGES", "TOKENIZERS_X"]
)
def test_a_variable_that_is_no_secret_is_told(name: str) -> None:
    assert hidden("in /home/ada", **{name: "/home/ada"}) == "in /home/ada"


@pytest.mark.parametrize(
    "line",
    [
        "ADMIN_TOKEN=geheim",
        " export ADMIN_TOKEN = geheim ",
        "ADMIN_TOKEN='geheim' # mine",
        'ADMIN_TOKEN="geheim"',
        "ADMIN_TOKEN=geheim # mine",
        "ADMIN_TOKEN='geheim",
        'A=1\r\nADMIN_TOKEN=geheim\r\nDATABASE_URL=""',
        'ADMIN_TOKEN="one\ngeheim\ntwo"',
        'ADMIN_TOKEN="geh\\eim"',
    ],
)
def test_a_dotenv_is_read_as_it_is_written(line: str) -> None:
    assert hidden("wrong: geheim!", line) == "wrong: ***!"


@pytest.mark.parametrize("secret", ["a", "1", "on", "ted", "***", "*", ".", " "])
def test_a_short_secret_leaves_the_words_alone(secret: str) -> None:
    said = "1 started, 1 (one) at port 1: a database on localhost.example *** at line 1 is accepted"
    assert hidden(said, ADMIN_TOKEN=secret, DATABASE_URL=f"x://u:{secret}@h") == said


def test_a_short_secret_is_hidden_where_a_value_stands() -> None:
    said = (
        "not 'abc', \"abc\", x=abc, ?x=abc&y=1, abc@host; abcd, 'abcd', dabc@host, abc"
    )
    told = (
        "not '***', \"***\", x=***, ?x=***&y=1, ***@host; abcd, 'abcd', dabc@host, abc"
    )
    assert hidden(said, ADMIN_TOKEN="abc") == told


def test_the_longest_secret_goes_first() -> None:
    assert hidden("geheimnis geheim", A_KEY="geheim", B_KEY="geheimnis") == "*** ***"


def test_a_value_is_hidden_after_the_name_of_a_secret() -> None:
    said = "host=h password=geheim dbname=x ADMIN_TOKEN='ge heim' pwd=\"ge heim\" key=, work=1"
    told = "host=h password=*** dbname=x ADMIN_TOKEN=*** pwd=*** key=***, work=1"
    assert hidden(said.replace("key=,", "key=k ,")) == told.replace(
        "***, work", "*** , work"
    )


def test_without_a_secret_nothing_is_hidden() -> None:
    said = "postgresql://ada@localhost:5432/shop, http://localhost:8000/x, mail to ada@example.com"
    assert hidden(said, EMPTY_TOKEN="", PATH="/bin") == said


def test_a_long_value_takes_no_time() -> None:
    begun = time.monotonic()
    hidden("x", LONG="a" * 1_000_000, DOTTED="a.b," * 200_000, URLS="x://" * 100_000)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("end", ["", "@", " @", ":@"])
def test_a_long_text_takes_no_time(end: str) -> None:
    begun = time.monotonic()
    hidden("://a:" * 100_000 + end)
    assert time.monotonic() - begun < 5
