"""Names that an update adds and the project already uses for something else."""

import json
from pathlib import Path

import pytest

from bgscaffold.analysis.name_collisions import find_collisions
from tests.generator import upgrading
from tests.generator.conftest import Machine, Run

BOTH = ("--with-ai", "--with-schedule")
ROUTER = """\
from fastapi import APIRouter

PAGE = "/"
router = APIRouter({})


@router.{}
async def answer() -> None: ...
"""
DOMAIN = (
    "The update adds a domain named {}, but app/{}/ already exists. Rename yours and"
    " commit before updating."
)
TABLE = (
    "The table {} is declared twice: yours in {}, line {}, and a new one in {}. The"
    " application does not start before you rename one of them."
)
ROUTE = "Your route {} ({}, line {}) overlaps new routes in {}. {}"
YOURS = "Domains are included in alphabetical order, so yours answers."
THE_NEW_ONE = "Domains are included in alphabetical order, so the new one answers."


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a project without features."""
    return upgrading.copy("safe", tmp_path / "shop")


def collisions(shop: Path) -> list[str]:
    """Return what is reported when both features are added."""
    old, new = upgrading.original("safe"), upgrading.original("safe", *BOTH)
    return find_collisions(shop, old, new)


def write(shop: Path, path: str, text: str) -> None:
    """Write a file of the project."""
    (shop / path).parent.mkdir(parents=True, exist_ok=True)
    (shop / path).write_text(text)


def test_no_collision(shop: Path) -> None:
    assert collisions(shop) == []


def test_a_project_without_an_application(shop: Path) -> None:
    write(shop, "app/documents/models.py", "")
    (shop / "app/background.py").unlink()
    assert collisions(shop) == []


@pytest.mark.parametrize("domain", ["chat", "maintenance", "documents", "frontend"])
def test_a_domain_with_the_name_of_a_new_one(domain: str, shop: Path) -> None:
    write(shop, f"app/{domain}/orders.py", "")
    assert collisions(shop) == [DOMAIN.format(domain, domain)]


def test_compiled_files_are_no_domain(shop: Path) -> None:
    write(shop, "app/documents/__pycache__/models.cpython-311.pyc", "")
    assert collisions(shop) == []


def test_what_an_earlier_update_added_does_not_collide() -> None:
    new = upgrading.original("safe", *BOTH)
    assert find_collisions(new, new, new) == []


@pytest.mark.parametrize(
    ("text", "name", "model"),
    [
        ("class Mail(Base):\n    __tablename__ = 'messages'\n", "messages", "chat"),
        ("class M(Base):\n    __tablename__: str = 'messages'\n", "messages", "chat"),
        ("NAME = 'chunks'\nsa.Table(NAME, metadata)\n", "chunks", "documents"),
        ("import sqlalchemy\nTable(name='documents')\n", "documents", "documents"),
    ],
)
def test_a_table_with_the_name_of_a_new_one(
    text: str, name: str, model: str, shop: Path
) -> None:
    write(shop, "app/mail/data.py", text)
    line = TABLE.format(name, "app/mail/data.py", 2, f"app/{model}/models.py")
    assert collisions(shop) == [line]


def test_a_table_of_an_application_with_another_name(shop: Path) -> None:
    (shop / "app").rename(shop / "mine")
    write(shop, "mine/mail.py", "\n__tablename__ = 'messages'\n")
    line = TABLE.format("messages", "mine/mail.py", 2, "app/chat/models.py")
    assert collisions(shop) == [line]


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
def test_other_tables(text: str, shop: Path) -> None:
    write(shop, "app/mail/models.py", text)
    write(shop, "app/migrations/versions/1_mail.py", "sa.Table('messages')\n")
    assert collisions(shop) == []


FRONTEND = "app/frontend/router.py: GET /"
CHAT = "app/chat/router.py: WEBSOCKET /chat/ws"
DOCUMENTS = (
    "app/documents/router.py: GET /documents/search, GET /documents/{document_id}"
)


@pytest.mark.parametrize(
    ("file", "prefix", "decorator", "route", "new", "note"),
    [
        ("billing/router.py", "", 'get("/")', "GET /", FRONTEND, YOURS),
        ("billing/routers/x.py", "", 'get("/")', "GET /", FRONTEND, YOURS),
        ("billing/router.py", "", "get(PAGE)", "GET /", FRONTEND, YOURS),
        ("billing/router.py", "", 'api_route("/")', "GET /", FRONTEND, YOURS),
        ("zoo/router.py", "", 'get("/")', "GET /", FRONTEND, THE_NEW_ONE),
        (
            "billing/router.py",
            "",
            'api_route("/", methods=["POST", "GET"])',
            "GET /",
            FRONTEND,
            YOURS,
        ),
        (
            "zoo/router.py",
            'prefix="/documents"',
            'get("/{day}")',
            "GET /documents/{day}",
            DOCUMENTS,
            THE_NEW_ONE,
        ),
        (
            "billing/router.py",
            'prefix="/chat"',
            'websocket("/ws")',
            "WEBSOCKET /chat/ws",
            CHAT,
            YOURS,
        ),
        (
            "main.py",
            "",
            'get("/")',
            "GET /",
            FRONTEND,
            "The one that main.py includes first answers.",
        ),
    ],
)
def test_a_route_that_overlaps_a_new_one(
    file: str,
    prefix: str,
    decorator: str,
    route: str,
    new: str,
    note: str,
    shop: Path,
) -> None:
    write(shop, f"app/{file}", ROUTER.format(prefix, decorator))
    assert collisions(shop) == [ROUTE.format(route, f"app/{file}", 7, new, note)]


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
def test_other_routes(decorator: str, shop: Path) -> None:
    write(shop, "app/billing/router.py", ROUTER.format("", decorator))
    assert collisions(shop) == []


def test_routes_of_a_domain_that_has_to_be_renamed_are_not_reported(shop: Path) -> None:
    write(shop, "app/frontend/routers/x.py", ROUTER.format("", 'get("/")'))
    assert collisions(shop) == [DOMAIN.format("frontend", "frontend")]


def test_a_setting_with_the_name_of_a_new_one(shop: Path) -> None:
    code = "class Mine(BaseSettings):\n    x = 1\n    llm_model: str\n    y: int\n"
    write(shop, "app/mail/settings.py", code)
    line = (
        "The setting LLM_MODEL is declared twice: yours in app/mail/settings.py, line"
        " 3, and a new one in app/chat/settings.py. Both read the same variable."
    )
    assert collisions(shop) == [line]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_update_reports_collisions(
    dry: tuple[str, ...], run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = upgrading.copy("safe", machine.here / "shop")
    monkeypatch.chdir(shop)
    router = ROUTER.format("", 'get("/")')
    upgrading.write(shop, "app/billing/router.py", router)
    upgrading.write(shop, "app/billing/models.py", "\n__tablename__ = 'messages'\n")
    notes = json.loads(run("update", "--with-ai", *dry, "--json").out)["notes"]
    assert notes[1:] == [
        TABLE.format("messages", "app/billing/models.py", 2, "app/chat/models.py"),
        ROUTE.format("GET /", "app/billing/router.py", 7, FRONTEND, YOURS),
    ]
