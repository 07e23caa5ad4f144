"""`bgscaffold promote`: the ladder, up and down, on projects that users have edited."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_errors import refused
from tests.generator.upgrading import commit, edit, like_new, state, status, write

pytestmark = pytest.mark.usefixtures("small_template")

UNDO = ("reset", "--quiet", "--hard")


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern simple, and make it the current folder."""
    project = upgrading.copy("simple", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


def git(project: Path, *arguments: str) -> str:
    """Run git in a project and return what it printed."""
    return helpers.git(*arguments, cwd=project)


def listed(project: Path) -> str:
    """Return the list of changes that a report should hold, as git counts them."""
    lines = git(project, "diff", "--numstat", "--no-renames", "HEAD").splitlines()
    counts = {
        path: (int(a), int(d)) for a, d, path in (line.split("\t") for line in lines)
    }
    names = git(
        project, "diff", "--name-status", "--no-renames", "--diff-filter=ADM", "HEAD"
    )
    kinds = {
        path: kind for kind, path in (line.split("\t") for line in names.splitlines())
    }
    width = max(map(len, counts))
    verbs = {"A": "created", "M": "changed", "D": "deleted"}
    rows = []
    for path, (added, removed) in sorted(counts.items()):
        more, less = f"+{added}" if added else "", f"-{removed}" if removed else ""
        row = f"  {verbs[kinds[path]]}  {path:<{width}} {more:>6} {less:>6}"
        rows.append(f"{row.rstrip()}\n")
    added, removed = (sum(count[side] for count in counts.values()) for side in (0, 1))
    return (
        "".join(rows) + f"{len(rows)} files, {added} lines added, {removed} removed.\n"
    )


GRACE = "  Unfinished tasks: on SIGTERM the old version finishes them within its grace period.\n"
NEXT = """\
  uv run poe test                     run its tests
  git commit                          commit it; the message is prepared

To undo it: git reset --hard
Equivalent command: bgscaffold promote {}
"""
CELERY_SETTINGS = """\
  New settings, explained in .env.example: BROKER_URL, TASK_QUEUE, TASK_RETRIES,
    TASK_BACKOFF, TASK_LEASE, TASK_SWEEP, TASK_RETENTION, WORKER_METRICS_PORT,
    PUBLISH_WINDOW.
  In production set BROKER_URL (Redis or RabbitMQ) and DATABASE_URL (PostgreSQL), and
    start a worker and beat beside the API. A new database is empty, so first copy your
    data into it.
"""


def test_says_what_changed_and_what_comes_next(run: Run, shop: Path) -> None:
    done = run("promote", "async")
    assert done == Outcome(
        0,
        "Promoted shop from simple to async; not committed yet:\n\n"
        f"{listed(shop)}\nBefore you run it:\n{GRACE}\nNext:\n{NEXT.format('async')}",
        "",
    )


def test_says_what_a_server_needs_and_what_to_install(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.parent)
    done = run("promote", "celery", "shop")
    assert done == Outcome(
        0,
        "Promoted shop from simple to celery; not committed yet:\n\n"
        f"{listed(shop)}\nBefore you run it:\n{CELERY_SETTINGS}{GRACE}\nNext:\n"
        "  cd shop\n"
        "  uv sync                             install the dependencies of pyproject.toml\n"
        "  uv run poe migrate                  PostgreSQL only; SQLite migrates at the start\n"
        f"{NEXT.format('celery shop')}",
        "",
    )


def test_says_how_to_drain_on_the_way_down(run: Run, machine: Machine) -> None:
    shop = upgrading.copy("safe", machine.here / "shop")
    done = run("promote", "simple", "shop", "--dry-run")
    run("promote", "simple", "shop")
    assert done == Outcome(
        0,
        "Would promote shop from safe to simple:\n\n"
        f"{listed(shop)}\nBefore you run it:\n"
        "  Settings that have no effect now: TASK_RETRIES, TASK_BACKOFF, TASK_LEASE, TASK_SWEEP,\n"
        "    TASK_RETENTION.\n"
        "  Unfinished tasks: simple does not run the rows of safe. Before you stop the old\n"
        "    version, send it no more requests and wait until GET /tasks?state=pending,\n"
        "    ?state=retrying and ?state=running are empty (this needs ADMIN_TOKEN).\n"
        "  Rows that remain in task_runs run again if you promote back.\n"
        "\n"
        "Next:\n"
        "  bgscaffold promote simple shop      apply the changes\n"
        "\n"
        "Nothing was changed.\n",
        "",
    )


def test_rows_stay_between_durable_patterns(run: Run, machine: Machine) -> None:
    upgrading.copy("celery", machine.here / "shop")
    done = run("promote", "safe", "shop")
    assert (
        "  Unfinished tasks: safe runs them. Stop the old version first.\n" in done.out
    )


def test_the_same_pattern_is_nothing_to_do(run: Run, shop: Path) -> None:
    (shop / "README.md").write_text("dirty")
    before = state(shop)
    expected = f"Nothing to do: shop has pattern simple, version {helpers.TAG}.\n"
    assert run("promote", "simple") == Outcome(0, expected, "")
    report = json.loads(run("promote", "simple", "--dry-run", "--json").out)
    assert (report["changes"], report["conflicts"], report["next_steps"]) == (
        [],
        [],
        [],
    )
    assert state(shop) == before


def test_edits_on_other_lines_are_merged(run: Run, shop: Path) -> None:
    edit(shop, "README.md", "# shop\n", "# My shop\n")
    edit(
        shop,
        "app/runner/backend.py",
        "import asyncio\n",
        "import asyncio  # mine\n",
    )
    done = run("promote", "async")
    assert (done.code, done.err) == (0, "")
    fresh = (upgrading.original("async") / "README.md").read_text()
    assert (shop / "README.md").read_text() == fresh.replace("# shop\n", "# My shop\n")
    assert "import asyncio  # mine\n" in (shop / "app/runner/backend.py").read_text()


SETTINGS = "app/runner/settings.py"


def test_edits_on_the_same_lines_are_a_conflict(run: Run, shop: Path) -> None:
    edit(shop, SETTINGS, "# threads for", "# MINE: threads for")
    whole = helpers.tree(shop)
    done = run("promote", "async")
    assert done == Outcome(
        3,
        "Promoted shop from simple to async, with 1 conflict; not committed yet:\n\n"
        f"{listed(shop)}\n"
        "Conflicts to resolve before you commit:\n"
        f"  UU  {SETTINGS}\n"
        "      both sides changed the same lines\n"
        f"      edit it between the markers, then: git add {SETTINGS}\n"
        f"\nBefore you run it:\n{GRACE}\nNext:\n"
        "  git status                          until every conflict is resolved\n"
        f"{NEXT.format('async')}",
        "",
    )
    text = (shop / SETTINGS).read_text()
    assert "<<<<<<< HEAD\n" in text
    assert "# MINE: threads for" in text
    assert "(Promote shop from simple to async)\n" in text
    git(shop, *UNDO)
    assert (helpers.tree(shop), status(shop)) == (whole, "")


def test_a_file_that_the_pattern_drops_is_kept_when_it_was_edited(
    run: Run, shop: Path
) -> None:
    path = "app/runner/perform.py"
    write(shop, path, mine := (shop / path).read_text() + "# MINE\n")
    preview = run("promote", "celery", "--dry-run")
    done = run("promote", "celery")
    assert (preview.code, done.code) == (3, 3)
    assert (
        f"  UD  {path}\n"
        "      you edited it, and the new version removes it\n"
        f"      to keep it: git add {path}; to remove it: git rm {path}\n"
    ) in done.out
    assert (shop / path).read_text() == mine
    assert f"deleted  {path}" not in done.out
    git(shop, "rm", "--quiet", path)
    assert like_new(shop, "celery")


def test_a_file_that_both_add_has_both_versions(run: Run, shop: Path) -> None:
    write(shop, "app/runner/worker.py", "# MINE\n")
    done = run("promote", "celery")
    assert done.code == 3
    assert (
        "  AA  app/runner/worker.py\n"
        "      both sides added it\n"
        "      edit it between the markers, then: git add app/runner/worker.py\n"
    ) in done.out
    lines = (shop / "app/runner/worker.py").read_text().splitlines()
    fresh = (
        (upgrading.original("celery") / "app/runner/worker.py").read_text().splitlines()
    )
    assert [line for line in lines if line in ("# MINE", *fresh)] == ["# MINE", *fresh]


def test_a_file_that_was_deleted_stays_deleted(run: Run, shop: Path) -> None:
    (shop / "docs/background.md").unlink()
    commit(shop)
    preview = run("promote", "celery", "--dry-run", "--json")
    done = run("promote", "celery")
    assert (preview.code, done.code) == (0, 0)
    assert json.loads(preview.out)["stay_deleted"] == ["docs/background.md"]
    assert (
        "  docs/background.md: stays deleted, although the new version changes it\n"
    ) in done.out
    assert "  created  docs/background.md" not in done.out
    assert not (shop / "docs/background.md").exists()
    fresh = helpers.tree(upgrading.original("celery"))
    assert helpers.tree(shop) == {
        k: v for k, v in fresh.items() if k != "docs/background.md"
    }


def test_a_change_follows_a_renamed_file(run: Run, shop: Path) -> None:
    git(shop, "mv", "docs/background.md", "docs/how it works.md")
    edit(shop, "docs/how it works.md", "# Pattern simple\n", "# Pattern simple, MINE\n")
    write(
        shop,
        "docs/how it works.md",
        (shop / "docs/how it works.md").read_text() + "MINE\n",
    )
    done = run("promote", "async")
    assert done.code == 3
    assert (
        "edit it between the markers, then: git add 'docs/how it works.md'\n"
        in done.out
    )
    text = (shop / "docs/how it works.md").read_text()
    assert "# Pattern simple, MINE\n" in text
    assert "# Pattern async\n" in text
    assert text.endswith("MINE\n")
    assert not (shop / "docs/background.md").exists()


def test_changes_follow_a_renamed_package(run: Run, shop: Path) -> None:
    git(shop, "mv", "app", "store")
    write(shop, "store/orders/tasks.py", "# MINE\n")
    done = run("promote", "celery")
    assert (done.code, done.err) == (0, "")
    assert (
        "  Your package is named store: change `app` in the imports of new files.\n"
        in done.out
    )
    fresh = helpers.tree(upgrading.original("celery"))
    moved = {
        k.replace("app/", "store/") if k.startswith("app/") else k: v
        for k, v in fresh.items()
    }
    assert helpers.tree(shop) == moved | {"store/orders/tasks.py": b"# MINE\n"}


def test_an_added_domain_goes_through_the_whole_ladder(run: Run, shop: Path) -> None:
    for name in ("__init__.py", "tasks.py", "router.py"):
        text = (shop / "app/signup" / name).read_text()
        write(shop, f"app/orders/{name}", text.replace("signup", "orders") + "# MINE\n")
    own = {k: v for k, v in helpers.tree(shop).items() if k.startswith("app/orders/")}
    for pattern in ("async", "safe", "celery", "safe", "simple"):
        assert run("promote", pattern).code == 0
        assert helpers.tree(shop) == helpers.tree(upgrading.original(pattern)) | own
        git(shop, "commit", "--quiet", "--no-edit")


def test_ignored_files_are_left_alone(run: Run, shop: Path) -> None:
    (shop / ".gitignore").write_text(
        (shop / ".gitignore").read_text() + "/app/runner/worker.py\n/docs/\n"
    )
    commit(shop)
    git(shop, "rm", "-r", "--quiet", "--cached", "docs")
    git(shop, "commit", "--quiet", "--message=no docs")
    (shop / ".env").write_text("ADMIN_TOKEN=mine\n")
    (shop / "docs/background.md").write_text("mine\n")
    preview = run("promote", "celery", "--dry-run")
    assert not (shop / "app/runner/worker.py").exists()
    done = run("promote", "celery")
    assert (preview.code, done.code) == (0, 0)
    assert "  app/runner/worker.py: created, but git ignores it\n" in done.out
    assert "docs/" not in done.out
    assert (shop / ".env").read_text() == "ADMIN_TOKEN=mine\n"
    assert (shop / "docs/background.md").read_text() == "mine\n"
    fresh = upgrading.original("celery")
    assert (shop / "app/runner/worker.py").read_bytes() == (
        fresh / "app/runner/worker.py"
    ).read_bytes()


def test_an_ignored_file_that_is_tracked_all_the_same_is_merged(
    run: Run, shop: Path
) -> None:
    write(shop, ".gitignore", (shop / ".gitignore").read_text() + "compose.yaml\n")
    run("promote", "celery")
    fresh = upgrading.original("celery")
    assert (shop / "compose.yaml").read_bytes() == (fresh / "compose.yaml").read_bytes()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_untracked_file_is_not_overwritten(
    dry: tuple[str, ...], run: Run, shop: Path
) -> None:
    (shop / "app/runner/worker.py").write_text("mine\n")
    (shop / "app/runner/lease.py").write_text("mine\n")
    before = state(shop)
    assert run("promote", "celery", *dry) == refused(
        "The merge would overwrite untracked files",
        "app/runner/lease.py, app/runner/worker.py",
        "Move, remove or commit them, and run the command again.",
    )
    assert before == state(shop) or not dry
    assert (shop / "app/runner/worker.py").read_text() == "mine\n"
    assert status(shop) == "?? app/runner/lease.py\n?? app/runner/worker.py"


def test_a_dry_run_previews_what_happens(run: Run, shop: Path) -> None:
    edit(shop, SETTINGS, "# threads for", "# MINE: threads for")
    write(shop, "app/runner/perform.py", "# MINE\n")
    write(shop, "app/runner/worker.py", "# MINE\n")
    write(shop, "compose.yaml", "# MINE\n")
    (shop / "docs/background.md").unlink()
    git(shop, "mv", "README.md", "LIESMICH.md")
    commit(shop)
    before = state(shop)
    preview = json.loads(run("promote", "celery", "--dry-run", "--json").out)
    assert state(shop) == before
    done = json.loads(run("promote", "celery", "--json").out)
    kinds = {each["path"]: each["kind"] for each in done["conflicts"]}
    assert kinds == {
        SETTINGS: "UU",
        "app/runner/perform.py": "UD",
        "compose.yaml": "UU",
        "app/runner/worker.py": "AA",
    }
    assert preview.pop("next_steps") == ["bgscaffold promote celery"]
    assert done.pop("next_steps")[0] == "git status"
    assert (preview.pop("dry_run"), done.pop("dry_run")) == (True, False)
    assert preview == done


def test_a_folder_where_a_file_has_to_go_and_the_reverse(run: Run, shop: Path) -> None:
    git(shop, "rm", "-r", "--quiet", "tests/background")
    write(shop, "tests/background", "mine\n")
    write(shop, "app/runner/worker.py/notes.txt", "mine\n")
    preview = json.loads(run("promote", "celery", "--dry-run", "--json").out)
    done = json.loads(run("promote", "celery", "--json").out)
    assert preview["changes"] == done["changes"]
    assert preview["conflicts"] == done["conflicts"]
    aside = next(
        each["path"]
        for each in done["conflicts"]
        if each["path"].startswith("app/runner/worker.py~")
    )
    assert (shop / aside).read_bytes() == (
        upgrading.original("celery") / "app/runner/worker.py"
    ).read_bytes()
    assert aside.endswith(" (Promote shop from simple to celery)")
    assert {each["path"]: each["kind"] for each in done["conflicts"]} == {
        aside: "UA",
        "tests/background~HEAD": "AU",
    }
    assert (shop / "tests/background~HEAD").read_text() == "mine\n"
    assert (shop / "app/runner/worker.py/notes.txt").read_text() == "mine\n"
    git(shop, *UNDO)
    assert status(shop) == ""


def test_a_package_in_src_is_read_as_well(run: Run, shop: Path) -> None:
    git(shop, "mv", "app", "package")
    (shop / "src").mkdir()
    git(shop, "mv", "package", "src/app")
    write(
        shop,
        "src/app/orders/tasks.py",
        '@task("orders.print", retries=5)\ndef it(): ...\n',
    )
    assert run("promote", "async").err.startswith(
        "The code uses options that the pattern does not support: 'pattern async'"
        " (task 'orders.print' declares retries=5 at src/app/orders/tasks.py:1).\n"
    )


def test_says_it_in_json(run: Run, shop: Path) -> None:
    report = json.loads(run("promote", "async", "--json").out)
    changes = report.pop("changes")
    assert {
        "path": ".copier-answers.yml",
        "kind": "changed",
        "added": 1,
        "removed": 1,
    } in changes
    assert report == {
        "project_name": "shop",
        "path": str(shop),
        "from": {"pattern": "simple", "commit": helpers.TAG},
        "to": {"pattern": "async", "commit": helpers.TAG},
        "added": [],
        "dry_run": False,
        "conflicts": [],
        "stay_deleted": [],
        "written": [],
        "notes": [
            "Unfinished tasks: on SIGTERM the old version finishes them within its grace period."
        ],
        "next_steps": ["uv run poe test", "git commit"],
        "undo": "git reset --hard",
        "undo_first": [],
        "command": "bgscaffold promote async",
    }


def test_a_folder_of_a_larger_repository(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machine.here / "mono"
    for name in ("a", "b"):
        shutil.rmtree(upgrading.copy("simple", root / "services" / name) / ".git")
    git(root, "init", "--quiet")
    commit(root)
    # Without care git would take this for renamed to its twin in b, and change that.
    (root / "services/a/docs/background.md").unlink()
    commit(root)
    twin = helpers.tree(root / "services/b")
    monkeypatch.chdir(root / "services/a")

    preview = run("promote", "celery", "--dry-run")
    done = run("promote", "celery")

    assert (preview.code, done.code) == (0, 0)
    assert "  created  app/runner/worker.py " in done.out
    assert "  docs/background.md: stays deleted, although" in done.out
    assert helpers.tree(root / "services/b") == twin
    fresh = helpers.tree(upgrading.original("celery"))
    assert fresh.pop("docs/background.md")
    assert helpers.tree(root / "services/a") == fresh
    assert git(root, "status", "--porcelain", "services/b") == ""


def test_a_linked_work_tree(run: Run, shop: Path) -> None:
    git(shop, "worktree", "add", "--quiet", "../other")
    assert run("promote", "celery", "../other", "--dry-run").code == 0
    assert run("promote", "celery", "../other").code == 0
    assert like_new(shop.parent / "other", "celery")
    assert status(shop) == ""


def test_the_users_own_style_of_conflicts(
    run: Run, machine: Machine, shop: Path
) -> None:
    edit(shop, SETTINGS, "# threads for", "# MINE: threads for")
    git(shop, "config", "--global", "merge.conflictStyle", "diff3")
    run("promote", "async")
    assert "\n||||||| parent of " in (shop / SETTINGS).read_text()


def test_nothing_of_the_users_runs_in_the_middle(
    run: Run, machine: Machine, shop: Path
) -> None:
    for hook in (
        "pre-commit",
        "post-checkout",
        "prepare-commit-msg",
        "post-index-change",
    ):
        path = shop / ".git/hooks" / hook
        path.write_text("#!/bin/sh\ntouch was-here\nexit 1\n")
        path.chmod(0o755)
    for setting in (
        "merge.renames=false",
        "merge.directoryRenames=false",
        "diff.renameLimit=1",
        "diff.noprefix=true",
        "color.ui=always",
        "status.showUntrackedFiles=no",
        "commit.gpgSign=true",
        "user.useConfigOnly=true",
        "core.fsmonitor=false",
        "core.quotePath=true",
    ):
        git(shop, "config", "--global", *setting.split("="))
    git(shop, "config", "--global", "--remove-section", "user")
    git(shop, "mv", "app", "store")
    git(
        shop, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message=renamed"
    )
    assert run("promote", "celery").code == 0
    assert (shop / "store/runner/worker.py").is_file()
    assert not (shop / "was-here").exists()


def test_line_endings_are_the_users(run: Run, machine: Machine, shop: Path) -> None:
    git(shop, "config", "--global", "core.autocrlf", "true")
    git(shop, "rm", "-r", "--quiet", "--cached", ".")
    subprocess.run(["git", *UNDO], cwd=shop, check=True)
    assert b"\r\n" in (shop / "README.md").read_bytes()
    assert run("promote", "celery").code == 0
    for path, content in helpers.tree(upgrading.original("celery")).items():
        assert (shop / path).read_bytes().replace(b"\r\n", b"\n") == content
    assert b"\r\n" in (shop / "app/runner/worker.py").read_bytes()
    subprocess.run(["git", *UNDO], cwd=shop, check=True)
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=shop, capture_output=True, check=True
    )
    assert done.stdout == b""


def test_nothing_is_left_in_the_repository(run: Run, shop: Path) -> None:
    edit(shop, SETTINGS, "# threads for", "# MINE: threads for")
    refs = git(shop, "for-each-ref")
    head = git(shop, "rev-parse", "HEAD")
    run("promote", "async")
    assert (git(shop, "for-each-ref"), git(shop, "rev-parse", "HEAD")) == (refs, head)
    left = {path.name for path in (shop / ".git").iterdir()}
    assert {"MERGE_MSG"} <= left
    assert not left & {"CHERRY_PICK_HEAD", "MERGE_HEAD", "sequencer", "rr-cache"}
    git(shop, *UNDO)
    assert "MERGE_MSG" not in {path.name for path in (shop / ".git").iterdir()}
