"""What an update brings under a name that the project has given to something of its own."""

import json
import shutil
from pathlib import Path

import pytest

from bgscaffold.analysis.name_collisions import find_collisions
from bgscaffold.analysis.task_options import setting_names
from tests import helpers
from tests.generator import evolving
from tests.generator.conftest import Machine, Run
from tests.generator.evolving import write

BOTH = ("--with-ai", "--with-schedule")
ROUTER = """\
from fastapi import APIRouter

PAGE = "/"
router = APIRouter({})


@router.{}
async def answer() -> None: ...
"""
DOMAIN = (
    "app/{}/ is yours, and what is new brings a domain of that name: better rename yours, and commit"
    " that, before you update."
)
TABLE = "The table {} is yours ({}, line {}) and new ({}). Nothing starts until one of the two has another name."
YOURS = "Where both fit, yours answers: domains are asked in the order of their names."
THE_NEW_ONE = "Where both fit, the new one answers: domains are asked in the order of their names."


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Give a project without overlays."""
    return evolving.copy("safe", tmp_path / "shop")


def told(shop: Path) -> list[str]:
    """Return what is said when both overlays are added."""
    return find_collisions(
        shop, evolving.original("safe"), evolving.original("safe", *BOTH)
    )


def put(shop: Path, path: str, text: str) -> None:
    """Write a file of the project."""
    (shop / path).parent.mkdir(parents=True, exist_ok=True)
    (shop / path).write_text(text)


def test_a_project_that_has_nothing_of_that_name(shop: Path) -> None:
    assert told(shop) == []


def test_a_project_without_its_mechanism(shop: Path) -> None:
    put(shop, "app/documents/models.py", "")
    shutil.rmtree(shop / "app/background")
    assert told(shop) == []


@pytest.mark.parametrize("domain", ["chat", "cleaning", "documents", "page"])
def test_a_domain_of_the_name_of_a_new_one(domain: str, shop: Path) -> None:
    put(shop, f"app/{domain}/orders.py", "")
    assert told(shop) == [DOMAIN.format(domain)]


def test_what_python_left_behind_is_no_domain(shop: Path) -> None:
    put(shop, "app/documents/__pycache__/models.cpython-311.pyc", "")
    assert told(shop) == []


def test_what_an_earlier_update_brought_is_no_clash() -> None:
    new = evolving.original("safe", *BOTH)
    assert find_collisions(new, new, new) == []


@pytest.mark.parametrize(
    ("text", "name", "model"),
    [
        ("class Mail(Base):\n    __tablename__ = 'messages'\n", "messages", "chat"),
        (
            "class Mail(Base):\n    __tablename__: str = 'messages'\n",
            "messages",
            "chat",
        ),
        ("NAME = 'chunks'\nsa.Table(NAME, metadata)\n", "chunks", "documents"),
        (
            "from sqlalchemy import Table\nTable(name='documents')\n",
            "documents",
            "documents",
        ),
    ],
)
def test_a_table_of_the_name_of_a_new_one(
    text: str, name: str, model: str, shop: Path
) -> None:
    put(shop, "app/mail/data.py", text)
    assert told(shop) == [
        TABLE.format(name, "app/mail/data.py", 2, f"app/{model}/models.py")
    ]


def test_a_table_in_a_package_of_another_name(shop: Path) -> None:
    (shop / "app").rename(shop / "mine")
    put(shop, "mine/mail.py", "\n__tablename__ = 'messages'\n")
    assert told(shop) == [
        TABLE.format("messages", "mine/mail.py", 2, "app/chat/models.py")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "class Mail(Base):\n    __tablename__ = 'mails'\n",
        "class Mail(Base):\n    __tablename__: str\n",
        "class Mail(Base):\n    __tablename__ = prefix + 'messages'\n",
        "Column('messages')\nTable()\n",
        "__tablename__ = (\n",
    ],
)
def test_tables_of_other_names(text: str, shop: Path) -> None:
    put(shop, "app/mail/models.py", text)
    put(shop, "app/migrations/versions/1_mail.py", "sa.Table('messages')\n")
    assert told(shop) == []


@pytest.mark.parametrize(
    ("place", "prefix", "decorator", "name", "new", "answers"),
    [
        (
            "app/home/router.py",
            "",
            'get("/")',
            "GET /",
            "app/page/router.py: GET /",
            YOURS,
        ),
        (
            "app/home/router.py",
            "",
            "get(PAGE)",
            "GET /",
            "app/page/router.py: GET /",
            YOURS,
        ),
        (
            "app/home/router.py",
            "",
            'api_route("/")',
            "GET /",
            "app/page/router.py: GET /",
            YOURS,
        ),
        (
            "app/zoo/router.py",
            "",
            'get("/")',
            "GET /",
            "app/page/router.py: GET /",
            THE_NEW_ONE,
        ),
        (
            *(
                "app/home/router.py",
                "",
                'api_route("/", methods=["POST", "GET"])',
                "GET /",
            ),
            *("app/page/router.py: GET /", YOURS),
        ),
        (
            *(
                "app/zoo/router.py",
                'prefix="/documents"',
                'get("/{day}")',
                "GET /documents/{day}",
            ),
            *(
                "app/documents/router.py: GET /documents/search, GET /documents/{document_id}",
            ),
            THE_NEW_ONE,
        ),
        (
            *(
                "app/home/router.py",
                'prefix="/chat"',
                'websocket("/ws")',
                "WEBSOCKET /chat/ws",
            ),
            *("app/chat/router.py: WEBSOCKET /chat/ws", THE_NEW_ONE),
        ),
        (
            *("app/main.py", "", 'get("/")', "GET /", "app/page/router.py: GET /"),
            "The first that main.py includes answers.",
        ),
    ],
)
def test_a_route_of_the_url_of_a_new_one(
    place: str,
    prefix: str,
    decorator: str,
    name: str,
    new: str,
    answers: str,
    shop: Path,
) -> None:
    put(shop, place, ROUTER.format(prefix, decorator))
    assert told(shop) == [
        f"{name} ({place}, line 7) is yours; new, in {new}. {answers}"
    ]


@pytest.mark.parametrize(
    "decorator",
    [
        'post("/")',
        'get("/home")',
        "get(unknown)",
        'route("/", methods=["POST"])',
        'task("/")',
    ],
)
def test_routes_of_other_urls_or_methods(decorator: str, shop: Path) -> None:
    put(shop, "app/home/router.py", ROUTER.format("", decorator))
    assert told(shop) == []


def test_a_route_in_a_domain_that_has_to_be_renamed_is_not_told_too(shop: Path) -> None:
    put(shop, "app/page/router.py", ROUTER.format("", 'get("/")'))
    assert told(shop) == [DOMAIN.format("page")]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_update_says_it(
    dry: tuple[str, ...], run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = evolving.copy("safe", machine.here / "shop")
    monkeypatch.chdir(shop)
    write(shop, "app/home/router.py", ROUTER.format("", 'get("/")'))
    write(shop, "app/home/models.py", "\n__tablename__ = 'messages'\n")
    notes = json.loads(run("update", "--with-ai", *dry, "--json").out)["notes"]
    assert notes[1:] == [
        TABLE.format("messages", "app/home/models.py", 2, "app/chat/models.py"),
        f"GET / (app/home/router.py, line 7) is yours; new, in app/page/router.py: GET /. {YOURS}",
    ]


def test_the_settings_of_a_schedule_are_settings() -> None:
    before, after = (
        setting_names(evolving.original("safe", *with_it)) for with_it in ((), BOTH[1:])
    )
    assert [name for name in after if name not in before] == [
        "SCHEDULE_TIMEZONE",
        "SCHEDULE_GRACE",
    ]


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_only_settings_are_settings(pattern: str) -> None:
    project = evolving.original(pattern)
    example = (project / ".env.example").read_text()
    assert [name for name in setting_names(project) if f"{name}=" not in example] == []
