"""`bgscaffold add task --route`: its prefix, and other routes that are in its way."""

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
    """Return a copy of the project, which is the current folder."""
    shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(machine.here / "shop")
    return machine.here / "shop"


def write(shop: Path, path: str, text: str) -> Path:
    """Write a file of the project."""
    file = shop / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


# ---- The prefix ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("router", "prefix"),
    [
        ("router = APIRouter(prefix='/v1/x')", "/v1/x"),
        ("router = APIRouter(prefix='')", "/a"),
        ("router: APIRouter = APIRouter(tags=['x'], route_class=R)", "/a"),
        ("WHERE = '/w'\nrouter = APIRouter(prefix=WHERE)", "/w"),
        ("router = fastapi.APIRouter(prefix='/p')", "/p"),
    ],
)
@pytest.mark.parametrize("file", ["router.py", "routers/other.py"])
def test_the_prefix_of_the_domain_is_used(
    file: str, router: str, prefix: str, run: Run, shop: Path
) -> None:
    write(shop, "app/a/routers/__init__.py", "")
    write(shop, f"app/a/{file}", f"{FASTAPI}{router}\n")
    done = run("add", "task", "a.b", "--route", "--json")
    assert json.loads(done.out)["route"] == f"POST {prefix}/7/b"
    code = (shop / "app/a/routers/b.py").read_text()
    assert f'\nrouter = APIRouter(prefix="{prefix}", tags=["a"])\n' in code
    assert '\n@router.post("/{item_id}/b", status_code=202)\n' in code


def test_several_prefixes_are_no_prefix(run: Run, shop: Path) -> None:
    for name in ("x", "y"):
        router = f"router = APIRouter(prefix='/{name}')\n"
        write(shop, f"app/a/routers/{name}.py", FASTAPI + router)
    done = run("add", "task", "a.b", "--route", "--json")
    assert json.loads(done.out)["route"] == "POST /a/7/b"


NO_ROUTER = "it has no `router = APIRouter(...)`, or more than one"
DEPENDENCIES = "line 3: its routes may have dependencies"
NO_PATH = "line 3: its prefix is not a literal path"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", NO_ROUTER),
        ("def f(:", NO_ROUTER),
        ("from app.signup.router import router", NO_ROUTER),
        ("router = APIRouter", NO_ROUTER),
        ("router: APIRouter", NO_ROUTER),
        ("router = APIRouter()\nrouter = APIRouter(prefix='/x')", NO_ROUTER),
        ("router = APIRouter()\nfrom app.signup.router import router", NO_ROUTER),
        ("if True:\n    router = APIRouter()", NO_ROUTER),
        ("router = make()", "line 3: the router is not an APIRouter"),
        ("router = [APIRouter][0]()", "line 3: the router is not an APIRouter"),
        ("router = APIRouter(prefix=f())", NO_PATH),
        ("router = APIRouter(prefix=X)", NO_PATH),
        ("router = APIRouter(prefix='/{x}')", NO_PATH),
        ("router = APIRouter(prefix='x')", NO_PATH),
        ("router = APIRouter(prefix='/x/')", NO_PATH),
        ("router = APIRouter(prefix='/x y')", NO_PATH),
        ("router = APIRouter()\nrouter.prefix = '/x'", NO_PATH),
        ("router = APIRouter(**ALL)", DEPENDENCIES),
        ("router = APIRouter(dependencies=[Depends(f)])", DEPENDENCIES),
    ],
)
def test_an_unsupported_router(text: str, reason: str, run: Run, shop: Path) -> None:
    router = write(shop, "app/a/router.py", f"{FASTAPI}{text}\n")
    before = helpers.tree(shop)
    assert run("add", "task", "a.b", "--route") == Outcome(
        1,
        "",
        f"Cannot add a route beside this router: '{router}' ({reason}).\n"
        "The new route needs a router of its own, with the same prefix. So the"
        " domain's router must be one module-level `router = APIRouter(...)` whose"
        " prefix is a literal path or a constant of the module, without path"
        " parameters and without dependencies. Leave out --route, and write the route"
        " yourself.\n",
    )
    assert helpers.tree(shop) == before


# ---- Other routes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "router", "declaration", "path"),
    [
        ("other/router.py", "", "@router.post('/a/{n}/b')", "/a/{n}/b"),
        ("other/router.py", "prefix='/a'", "@router.post('/{n}/b')", "/a/{n}/b"),
        ("other/routers/x.py", "prefix='/a'", "@router.post('/{n}/b')", "/a/{n}/b"),
        ("other/router.py", "", "@router.post(path='/a/{n}/{x}')", "/a/{n}/{x}"),
        ("other/router.py", "", "@router.post('/{rest:path}')", "/{rest:path}"),
        ("other/router.py", "", "@router.post('/a/1/b')", "/a/1/b"),
        ("other/router.py", "", "@router.route('/a/1/b', methods=ALL)", "/a/1/b"),
        (
            "other/router.py",
            "",
            "@router.api_route('/a/{n}/b', methods=['GET', 'POST'])",
            "/a/{n}/b",
        ),
        ("main.py", "", "@app.post('/a/{n}/b')", "/a/{n}/b"),
        (
            "other/router.py",
            "",
            "router.add_api_route('/a/{n}/b', f, methods=['POST'])\n@f",
            "/a/{n}/b",
        ),
    ],
)
def test_a_path_that_another_route_matches(
    file: str, router: str, declaration: str, path: str, run: Run, shop: Path
) -> None:
    code = f"router = APIRouter({router})\n\n\n{declaration}\ndef f(n): ...\n"
    other = write(shop, f"app/{file}", code)
    write(shop, "app/broken/router.py", "def f(:\n")
    assert run("add", "task", "a.b", "--route") == Outcome(
        1,
        "",
        "Another route already matches this path: '/a/{item_id}/b'"
        f" ({other}, line 4: {path}).\n"
        "Choose another name, or leave out --route and write the route yourself.\n",
    )


@pytest.mark.parametrize(
    "decorator",
    [
        "get('/a/{n}/b')",
        "api_route('/a/{n}/b')",
        "api_route('/a/{n}/b', methods=['PUT'])",
        "websocket('/a/{n}/b')",
        "post('/a/{n}')",
        "post('/a/{n}/b/c')",
        "post('/a/{n}/bb')",
        "post(f('/a'))",
        "post()",
        "middleware('/a/{n}/b')",
    ],
)
def test_a_path_that_no_other_route_matches(
    decorator: str, run: Run, shop: Path
) -> None:
    code = f"router = APIRouter(prefix=X)\n\n\n@router.{decorator}\ndef f(n): ...\n"
    write(shop, "app/other/router.py", code)
    assert run("add", "task", "a.b", "--route").code == 0


@pytest.mark.parametrize("domain", ["tasks", "health", "metrics", "console"])
def test_a_path_of_the_runtime(domain: str, run: Run, shop: Path) -> None:
    line = (
        f"Another route already matches this path: '/{domain}/{{item_id}}/b'"
        " (the runtime's own routes begin with it).\n"
    )
    assert run("add", "task", f"{domain}.b", "--route").err.startswith(line)
    assert run("add", "task", f"{domain}.b").code == 0


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
def test_paths_overlap_where_both_match_one_url(
    one: str, other: str, overlap: bool
) -> None:
    assert paths_overlap(one, other) is overlap
    assert paths_overlap(other, one) is overlap
