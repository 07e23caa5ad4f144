"""`bgscaffold update --with-ai --with-schedule` adds features to an existing project."""

import json
import re
from pathlib import Path

import pytest

import bgscaffold.template.source
from bgscaffold.analysis.migrations import Revision, downgrade_target
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_errors import refused
from tests.generator.test_promote import listed
from tests.generator.test_update import FILE, release
from tests.generator.upgrading import edit, like_new, state, status, write

pytestmark = pytest.mark.usefixtures("small_template")

BOTH = ("--with-ai", "--with-schedule")
AI_SETTINGS = """\
  New settings, explained in .env.example: LLM_MODEL, LLM_API_KEY.
"""
STEPS = """\
  uv run poe test                     run its tests
  git commit                          commit it; the message is prepared

To undo it:
  uv run alembic downgrade 0001       if the database is migrated (in development: rm -r var)
  git reset --hard
Equivalent command: bgscaffold update {} --to=v0.1.0
"""
SCHEDULE_SETTINGS = "SCHEDULE_TIMEZONE, SCHEDULE_GRACE"
AI_QUESTION = re.compile(r"^ai:\n(  .*\n)+", re.MULTILINE)
JOIN = [
    "uv run alembic merge heads -m merge",
    "uv run poe format",
    "git add app/migrations",
]
REVISION = '''\
"""Invoices."""

revision: str = "{}"
down_revision = {}
'''


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern safe, and make it the current folder."""
    project = upgrading.copy("safe", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


def test_says_what_changed_and_what_comes_next(run: Run, shop: Path) -> None:
    preview = run("update", "--with-ai", "--dry-run")
    done = run("update", "--with-ai")
    assert preview == Outcome(
        0,
        f"Would add AI to shop:\n\n{listed(shop)}\nBefore you run it:\n{AI_SETTINGS}\nNext:\n"
        "  bgscaffold update --with-ai --to=v0.1.0  apply the changes\n"
        "\n"
        "Nothing was changed.\n",
        "",
    )
    assert done == Outcome(
        0,
        "Added AI to shop; not committed yet:\n\n"
        f"{listed(shop)}\nBefore you run it:\n{AI_SETTINGS}\nNext:\n"
        "  uv sync                             install the dependencies of pyproject.toml\n"
        "  uv run poe migrate                  PostgreSQL only; SQLite migrates at the start\n"
        f"{STEPS.format('--with-ai')}",
        "",
    )
    helpers.git("commit", "--quiet", "--no-edit", cwd=shop)
    assert helpers.git("log", "-1", "--format=%s", cwd=shop) == "Add AI to shop"
    assert run("update", *BOTH).out.startswith(
        "Added schedules to shop; not committed yet:\n"
    )
    assert like_new(shop, "safe", *BOTH)


def test_a_lock_file_that_is_tracked_is_added(run: Run, shop: Path) -> None:
    write(shop, "uv.lock", "version = 1\n")
    report = json.loads(run("update", "--with-ai", "--json").out)
    assert report["next_steps"][:2] == ["uv sync", "git add uv.lock"]


def test_a_lock_file_that_does_not_change_is_not_added(
    run: Run, machine: Machine
) -> None:
    shop = upgrading.copy("simple", machine.here / "shop")
    write(shop, "uv.lock", "version = 1\n")
    report = json.loads(run("promote", "async", "shop", "--json").out)
    assert report["next_steps"] == ["cd shop", "uv run poe test", "git commit"]


def test_says_it_in_json(run: Run, shop: Path) -> None:
    report = json.loads(run("update", *BOTH, "--json").out)
    assert len(report.pop("changes")) == len(listed(shop).splitlines()) - 1
    assert report == {
        "project_name": "shop",
        "path": str(shop),
        "from": {"pattern": "safe", "commit": helpers.TAG},
        "to": {"pattern": "safe", "commit": helpers.TAG},
        "added": ["ai", "schedule"],
        "dry_run": False,
        "conflicts": [],
        "stay_deleted": [],
        "written": [],
        "notes": [
            " ".join(AI_SETTINGS.split()).replace(
                ": LLM", f": {SCHEDULE_SETTINGS}, LLM"
            )
        ],
        "next_steps": [
            "uv sync",
            "uv run poe migrate",
            "uv run poe test",
            "git commit",
        ],
        "undo": "git reset --hard",
        "undo_first": ["uv run alembic downgrade 0001"],
        "command": "bgscaffold update --with-ai --with-schedule --to=v0.1.0",
    }


def test_what_the_user_wrote_stays(run: Run, shop: Path) -> None:
    edit(shop, "README.md", "# shop\n", "# My shop\n")
    write(shop, "app/orders/tasks.py", "# MINE\n")
    write(shop, "app/page/router.py", "# MINE\n")
    done = run("update", *BOTH)
    assert done.code == 3
    assert done.out.startswith(
        "Added AI and schedules to shop, with 1 conflict; not committed "
    )
    assert "\n  AA  app/page/router.py\n      both sides added it\n" in done.out
    fresh = helpers.tree(upgrading.original("safe", *BOTH))
    assert fresh.pop("app/page/router.py")
    mine = helpers.tree(shop)
    assert b"# MINE\n" in mine.pop("app/page/router.py")
    readme = fresh["README.md"].replace(b"# shop\n", b"# My shop\n")
    assert mine == fresh | {"README.md": readme, "app/orders/tasks.py": b"# MINE\n"}


def test_a_promote_keeps_what_was_added(run: Run, shop: Path) -> None:
    assert run("update", *BOTH).code == 0
    helpers.git("commit", "--quiet", "--no-edit", cwd=shop)
    assert run("promote", "celery").code == 0
    assert like_new(shop, "celery", *BOTH)


def test_an_existing_feature_is_nothing_to_do(run: Run, machine: Machine) -> None:
    upgrading.copy("safe", machine.here / "shop", *BOTH)
    expected = (
        "Nothing to do: shop has pattern safe, version v0.1.0, with AI and schedules.\n"
    )
    for options in (BOTH, ("--with-ai",), ("--with-schedule", "--to=0.1.0"), ()):
        assert run("update", "shop", *options) == Outcome(0, expected, "")
    assert status(machine.here / "shop") == ""


@pytest.fixture
def versions(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Render from a repository with a version that knew no overlay yet, this one, and another."""
    folder = machine.home / "template"
    helpers.git(
        "clone",
        "--quiet",
        str(upgrading.small_template()),
        str(folder),
        cwd=machine.home,
    )
    now, questions = (folder / FILE).read_text(), (folder / "copier.yml").read_text()
    asked = AI_QUESTION.search(questions)
    assert asked
    without = questions.replace(asked[0], "").replace("'.' if ai else ''", "''")
    release(folder, "v0.0.9", {"copier.yml": without, FILE: f"{now}old\n"})
    release(folder, helpers.TAG, {"copier.yml": questions, FILE: now})
    release(folder, "v0.2.0", {FILE: f"{now}newer\n"})
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: folder)
    return folder


@pytest.fixture
def old_shop(
    run: Run, machine: Machine, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a project of the version before AI, and make it the current folder."""
    with monkeypatch.context() as patch:
        patch.setattr(bgscaffold.template.source, "TAG", "v0.0.9")
        assert run("new", "shop", "--pattern=safe").code == 0
    monkeypatch.chdir(machine.here / "shop")
    assert "ai:" not in (machine.here / "shop/.copier-answers.yml").read_text()
    return machine.here / "shop"


def test_an_older_project_is_updated_as_well(run: Run, old_shop: Path) -> None:
    done = run("update", *BOTH)
    assert (done.code, done.err) == (0, "")
    headline = "Updated shop from v0.0.9 to v0.1.0 and added AI and schedules; not committed yet:\n"
    assert done.out.startswith(headline)
    assert like_new(old_shop, "safe", *BOTH)
    helpers.git("commit", "--quiet", "--no-edit", cwd=old_shop)
    assert helpers.git("log", "-1", "--format=%s", cwd=old_shop) == (
        "Update shop from bgscaffold v0.0.9 to v0.1.0, with AI and schedules"
    )
    expected = (
        "Nothing to do: shop has pattern safe, version v0.1.0, with AI and schedules.\n"
    )
    assert run("update", *BOTH) == Outcome(0, expected, "")


def test_the_version_to_reach_may_be_named(run: Run, old_shop: Path) -> None:
    preview = run("update", "--to=0.2.0", "--with-ai", "--dry-run", "--json")
    assert (
        json.loads(preview.out)["command"] == "bgscaffold update --with-ai --to=v0.2.0"
    )
    assert status(old_shop) == ""
    assert run("update", "--to=0.2.0", "--with-ai").code == 0
    answers = (old_shop / ".copier-answers.yml").read_text()
    assert "_commit: v0.2.0\n" in answers
    assert "\nai: true\n" in answers
    assert (old_shop / "docs/tasks.md").read_text().endswith("newer\n")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_version_without_it_is_refused(
    dry: tuple[str, ...], run: Run, old_shop: Path
) -> None:
    before = state(old_shop)
    assert run("update", *BOTH, "--to=0.0.9", *dry) == refused(
        "The version to update to does not have the requested feature",
        "--with-ai",
        "Leave out --to, name a newer version, or upgrade bgscaffold.",
        "the version is v0.0.9",
    )
    assert state(old_shop) == before


PARTED = (
    "Your migrations and the new ones have several heads:"
    " run `uv run alembic merge heads`."
)
TWINS = (
    "app/migrations/versions/0002_documents.py has the same revision as your"
    " app/migrations/versions/0002_invoices.py: first change `revision` in the new file,"
    " for example to 0002_documents."
)
RENAME = "edit app/migrations/versions/0002_documents.py"
JOINED = "git add app/migrations/versions/*_merge.py"

NOTES = """\
import os

[number] = revision = os.environ
revision: str
revision += "x"
"""


@pytest.mark.parametrize(
    ("name", "follows", "notes", "branch"),
    [
        ("15da3590237f", '"0001"', [PARTED], "0002@0001"),
        ("15da3590237f", '("0001",)', [PARTED], "0002@0001"),
        ("0002", '"0001"', [TWINS, PARTED], "0002_documents@0001"),
        ("15da3590237f", '"0002"', [], "0002@0001"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_migrations_of_the_user_are_to_be_joined(
    name: str,
    follows: str,
    notes: list[str],
    branch: str,
    dry: tuple[str, ...],
    run: Run,
    shop: Path,
) -> None:
    text = REVISION.format(name, follows)
    write(shop, "app/migrations/versions/0002_invoices.py", text)
    write(shop, "app/migrations/versions/notes.py", NOTES)
    report = json.loads(run("update", "--with-ai", *dry, "--json").out)
    assert report["notes"][1:] == notes
    joined = [JOINED] if notes else []
    assert report["undo_first"] == [f"uv run alembic downgrade {branch}", *joined]
    if not dry:
        rename = [RENAME] if TWINS in notes else []
        steps = [*rename, "uv sync", *(JOIN if notes else []), "uv run poe migrate"]
        assert report["next_steps"] == [*steps, "uv run poe test", "git commit"]


def test_says_how_to_join_and_how_to_part_again(run: Run, shop: Path) -> None:
    write(
        shop,
        "app/migrations/versions/0002_invoices.py",
        REVISION.format("0002", '"0001"'),
    )
    assert run("update", "--with-ai").out.partition("\nNext:\n")[2] == (
        '  edit app/migrations/versions/0002_documents.py  write revision: str = "0002_documents"\n'
        "  uv sync                                         install the dependencies of pyproject.toml\n"
        "  uv run alembic merge heads -m merge             join your migrations and the new ones\n"
        "  uv run poe format                               format what Alembic has written\n"
        "  git add app/migrations                          add the migration that joins them\n"
        "  uv run poe migrate                              PostgreSQL only; SQLite migrates at the start\n"
        "  uv run poe test                                 run its tests\n"
        "  git commit                                      commit it; the message is prepared\n"
        "\n"
        "To undo it:\n"
        "  uv run alembic downgrade 0002_documents@0001  "
        "if the database is migrated (in development: rm -r var)\n"
        "  git add app/migrations/versions/*_merge.py    if you have joined the heads\n"
        "  git reset --hard\n"
        "Equivalent command: bgscaffold update --with-ai --to=v0.1.0\n"
    )


def test_the_first_migration_of_all_goes_back_to_nothing() -> None:
    first = Revision("app/migrations/versions/0001_all.py", "0001", frozenset())
    assert downgrade_target([], [first], is_renamed=False) == "0001@base"


def test_no_migration_that_is_new_no_need_to_join(run: Run, shop: Path) -> None:
    for name in ("one", "two"):
        write(
            shop, f"app/migrations/versions/{name}.py", REVISION.format(name, '"0001"')
        )
    report = json.loads(run("update", "--with-schedule", "--json").out)
    settings = f"New settings, explained in .env.example: {SCHEDULE_SETTINGS}."
    assert (report["notes"], report["undo_first"]) == ([settings], [])


def test_migrations_of_a_renamed_package(run: Run, shop: Path) -> None:
    helpers.git("mv", "app", "my app", cwd=shop)
    write(shop, "my app/migrations/versions/own.py", REVISION.format("own", '"0001"'))
    report = json.loads(run("update", "--with-ai", "--json").out)
    assert report["notes"][1] == PARTED
    assert "git add 'my app/migrations'" in report["next_steps"]
    assert report["undo_first"][1] == "git add 'my app/migrations'/versions/*_merge.py"
    assert (shop / "my app/migrations/versions/0002_documents.py").is_file()
