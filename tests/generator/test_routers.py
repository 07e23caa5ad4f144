"""`bgscaffold add task --route`, whatever the router looks like that the route is added to.

That the written routes work is shown on real projects in tests/projects/test_add_task.py.
"""

import json
import shutil
from pathlib import Path

import pytest

from bgscaffold.analysis.routes import paths_overlap
from tests import helpers
from tests.generator.conftest import Machine, Outcome, Run

FASTAPI = "from fastapi import APIRouter\n\n"


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    return helpers.render("safe", "none", tmp_path_factory.mktemp("original") / "shop")


@pytest.fixture
def shop(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of the test's own with an empty domain, and stand in it."""
    shutil.copytree(original, machine.here / "shop")
    (machine.here / "shop/app/a").mkdir()
    monkeypatch.chdir(machine.here / "shop")
    return machine.here / "shop"


@pytest.mark.parametrize(
    ("router", "path", "url"),
    [
        ("router = APIRouter(prefix='/v1/x')", "/{item_id}/b", "/v1/x/7/b"),
        ("router = APIRouter(prefix='')", "/a/{item_id}/b", "/a/7/b"),
        (
            "router: APIRouter = APIRouter(tags=['x'], route_class=R)",
            "/a/{item_id}/b",
            "/a/7/b",
        ),
        ("WHERE = '/w'\nrouter = APIRouter(prefix=WHERE)", "/{item_id}/b", "/w/7/b"),
        (
            "import fastapi\nrouter = fastapi.APIRouter(prefix='/p')",
            "/{item_id}/b",
            "/p/7/b",
        ),
        (
            "from fastapi import routing\nrouter = routing.APIRouter()",
            "/a/{item_id}/b",
            "/a/7/b",
        ),
    ],
)
def test_the_prefix_of_a_router_counts(
    router: str, path: str, url: str, run: Run, shop: Path
) -> None:
    (shop / "app/a/router.py").write_text(f"{FASTAPI}{router}\n")
    done = run("add", "task", "a.b", "--route", "--json")
    assert json.loads(done.out)["route"] == f"POST {url}"
    assert (
        f'@router.post("{path}", status_code=202)\n'
        in (shop / "app/a/router.py").read_text()
    )


NONE = "it has no router = APIRouter(), or more than one"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", NONE),
        ("from app.signup.router import router", NONE),
        ("router = APIRouter", NONE),
        ("router: APIRouter", NONE),
        ("router = APIRouter()\nrouter = APIRouter(prefix='/x')", NONE),
        ("router = APIRouter()\nfrom app.signup.router import router", NONE),
        ("if True:\n    router = APIRouter()", NONE),
        ("router = make()", "line 3: no APIRouter of fastapi"),
        (
            "class APIRouter: ...\n\nrouter = APIRouter()",
            "line 5: no APIRouter of fastapi",
        ),
        ("router = [APIRouter][0]()", "line 3: no APIRouter of fastapi"),
        ("router = APIRouter(prefix=f())", "line 3: its prefix is no plain path"),
        ("router = APIRouter(prefix=X)", "line 3: its prefix is no plain path"),
        ("router = APIRouter(prefix='/{x}')", "line 3: its prefix is no plain path"),
        ("router = APIRouter(prefix='x')", "line 3: its prefix is no plain path"),
        ("router = APIRouter(prefix='/x/')", "line 3: its prefix is no plain path"),
        ("router = APIRouter(prefix='/x y')", "line 3: its prefix is no plain path"),
        (
            "router = APIRouter()\nrouter.prefix = '/x'",
            "line 3: its prefix is no plain path",
        ),
        ("router = APIRouter(**ALL)", "line 3: ** may change what its routes do"),
        (
            "router = APIRouter(dependencies=[Depends(f)])",
            "line 3: dependencies may change what its routes do",
        ),
        (
            "router = APIRouter(lifespan=L)",
            "line 3: lifespan may change what its routes do",
        ),
    ],
)
def test_a_router_that_only_a_running_program_knows(
    text: str, reason: str, run: Run, shop: Path, original: Path
) -> None:
    router = shop / "app/a/router.py"
    router.write_text(f"{FASTAPI}{text}\n")
    before = helpers.tree(shop)
    assert run("add", "task", "a.b", "--route") == Outcome(
        1,
        "",
        f"Cannot tell what a route of this router would do: '{router}' ({reason})\n"
        "  allowed: one router = APIRouter(...) of fastapi at the top of the module, its prefix a"
        " plain path or a constant of the module, without parameters; no"
        " dependencies, which may ask for more\n"
        "  remedy:  leave out --route and write the route yourself, or write the router so\n",
    )
    assert helpers.tree(shop) == before


def test_a_router_with_a_syntax_error(run: Run, shop: Path) -> None:
    router = shop / "app/a/router.py"
    router.write_text("x = 1\nrouter = (\n")
    assert run("add", "task", "a.b", "--route").err.startswith(
        f"Cannot add to the file: '{router}' (line 2: '(' was never closed)\n"
    )


# ---- Which routes are there ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("router", "decorator", "line", "there"),
    [
        ("APIRouter()", "post('/a/{n}/b')", 4, "/a/{n}/b"),
        ("APIRouter(prefix='/a')", "post('/{n}/b')", 4, "/a/{n}/b"),
        ("APIRouter()", "post(path='/a/{n}/{what}')", 4, "/a/{n}/{what}"),
        ("APIRouter()", "post('/{rest:path}')", 4, "/{rest:path}"),
        ("APIRouter()", "post('/a/1/b')", 4, "/a/1/b"),
        ("APIRouter()", "api_route('/a/{n}/b', methods=['POST'])", 4, "/a/{n}/b"),
    ],
)
def test_a_path_that_another_route_has(
    router: str, decorator: str, line: int, there: str, run: Run, shop: Path
) -> None:
    other = shop / "app/other/router.py"
    other.parent.mkdir()
    other.write_text(f"router = {router}\n\n\n@router.{decorator}\ndef f(n): ...\n")
    (shop / "app/broken").mkdir()
    (shop / "app/broken/router.py").write_text("def f(:\n")
    assert run("add", "task", "a.b", "--route") == Outcome(
        1,
        "",
        f"Another route has this path already: '/a/{{item_id}}/b' ({other}, line {line}: {there})\n"
        "  allowed: a path that no router of app/ has\n"
        "  remedy:  choose another name, or leave out --route and write the route yourself\n",
    )


@pytest.mark.parametrize(
    "decorator",
    [
        *(
            "get('/a/{n}/b')",
            "websocket('/a/{n}/b')",
            "post('/a/{n}')",
            "post('/a/{n}/b/c')",
        ),
        *("post('/a/{n}/bb')", "post(f('/a'))", "post()", "post('/a/./b'.x)"),
    ],
)
def test_a_path_that_is_free(decorator: str, run: Run, shop: Path) -> None:
    other = shop / "app/other/router.py"
    other.parent.mkdir()
    other.write_text(
        f"router = APIRouter(prefix=X)\n\n\n@router.{decorator}\ndef f(n): ...\n"
    )
    assert run("add", "task", "a.b", "--route").code == 0


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("/a.b", "/a.b", True),
        ("/a.b", "/axb", False),
        ("/{x}", "/a", True),
        ("/a/{x:int}/b", "/a/{y}/b", True),
        ("/{x}", "/a/b", False),
        ("/a/{x:path}", "/a/b/c", True),
    ],
)
def test_paths_overlap_where_one_url_is_of_both(
    one: str, other: str, overlap: bool
) -> None:
    assert (paths_overlap(one, other), paths_overlap(other, one)) == (
        overlap,
        overlap,
    )


# ---- What they answer with -----------------------------------------------------------------------

PYDANTIC = "from pydantic import BaseModel\n"
PLAIN = "class Accepted(BaseModel):\n    task_id: str\n"
TWO = PLAIN.replace("Accepted", "AcceptedTask")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "Accepted"),
        (PYDANTIC + PLAIN, "Accepted"),
        (PYDANTIC + PLAIN + "    more: int = 0\n", "Accepted"),
        (PYDANTIC + PLAIN.replace(":\n", ':\n    """It is."""\n\n', 1), "Accepted"),
        ("import pydantic\n" + PLAIN.replace("Base", "pydantic.Base"), "Accepted"),
        ("from app.signup.router import Accepted\n", "Accepted"),
        ("from app.signup.router import Accepted as A\n", "Accepted"),
        ("from ..signup.router import Accepted\n", "Accepted"),
        # What has the name may be something else.
        ("from app.signup.tasks import send_welcome as Accepted\n", "AcceptedTask"),
        ("from app.nowhere import Accepted\n", "AcceptedTask"),
        ("from app.broken.router import Accepted\n", "AcceptedTask"),
        ("Accepted = None\n", "AcceptedTask"),
        ("def Accepted(): ...\n", "AcceptedTask"),
        (PLAIN, "AcceptedTask"),
        (PYDANTIC + PLAIN + PLAIN, "AcceptedTask"),
        (PYDANTIC + PLAIN + "    more: int\n", "AcceptedTask"),
        (PYDANTIC + PLAIN + "    def f(self): ...\n", "AcceptedTask"),
        (PYDANTIC + PLAIN.replace("str", "int"), "AcceptedTask"),
        (PYDANTIC + PLAIN.replace("task_id", "id"), "AcceptedTask"),
        (
            PYDANTIC + PLAIN.replace("BaseModel", "BaseModel, frozen=True"),
            "AcceptedTask",
        ),
        (PYDANTIC + "@final\n" + PLAIN, "AcceptedTask"),
        (PYDANTIC + "Accepted = None\n" + TWO, "AcceptedTask"),
    ],
)
def test_an_answer_that_is_there_is_used_if_it_can_be(
    text: str, name: str, run: Run, shop: Path
) -> None:
    (shop / "app/broken").mkdir()
    (shop / "app/broken/router.py").write_text("def f(:\n")
    router = shop / "app/a/router.py"
    router.write_text(f"{FASTAPI}{text}\nrouter = APIRouter()\n")
    had = f"class {name}" in text or f"import {name}\n" in text
    assert run("add", "task", "a.b", "--route").code == 0
    written = (
        router.read_text().removeprefix(FASTAPI).rpartition("router = APIRouter()\n")[2]
    )
    assert f") -> {name}:\n" in written
    assert f"    return {name}(task_id=" in written
    assert (f"class {name}(" in written) is not had


def test_two_names_that_are_something_else(run: Run, shop: Path) -> None:
    router = shop / "app/a/router.py"
    router.write_text(
        f"{FASTAPI}Accepted = AcceptedTask = None\nrouter = APIRouter()\n"
    )
    assert run("add", "task", "a.b", "--route").err.startswith(
        f"The name is taken: 'Accepted, AcceptedTask' ({router} has both, for something else)\n"
    )
