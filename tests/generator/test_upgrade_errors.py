"""The errors of promote and update, as whole texts. An error changes nothing."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import bgscaffold.upgrade.command
import bgscaffold.upgrade.transaction
import bgscaffold.upgrade.workspace
from bgscaffold.git.errors import GitCommandError
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_errors import refused
from tests.generator.upgrading import commit, edit, open_conflict, state, write

pytestmark = pytest.mark.usefixtures("small_template")

ANSWERS = ".copier-answers.yml"
FROM_HISTORY = (
    "take it from the history: git log -- .copier-answers.yml,"
    " git checkout COMMIT -- .copier-answers.yml"
)


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern safe, and make it the current folder."""
    project = upgrading.copy("safe", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


def git(project: Path, *arguments: str) -> str:
    """Run git in a project and return what it printed."""
    return helpers.git(*arguments, cwd=project)


def test_a_folder_without_a_project(run: Run, machine: Machine) -> None:
    (machine.here / "file").touch()
    for name, reason in (
        ("file", "it is not a folder"),
        ("nowhere", "it does not exist"),
        (".", "no .copier-answers.yml in this folder or above it"),
    ):
        assert run("promote", "celery", name) == no_project(machine.here / name, reason)


@pytest.mark.parametrize("path", ["with-ai", "app/nowhere", "README.md"])
@pytest.mark.parametrize(
    "command",
    [("update",), ("promote", "celery"), ("doctor",), ("add", "task", "a.b", "--path")],
)
def test_a_path_outside_the_project(
    command: tuple[str, ...], path: str, run: Run, shop: Path
) -> None:
    before = state(shop)
    reason = "it is not a folder" if path == "README.md" else "it does not exist"
    assert run(*command, path) == no_project(shop / path, reason)
    assert state(shop) == before


def no_project(folder: Path, reason: str) -> Outcome:
    """Return the error for a folder that is in no project."""
    return refused(
        "Not a bgscaffold project",
        folder,
        (
            "Run the command in a project created by `bgscaffold new` or"
            " `copier copy`, or name its folder."
        ),
        reason,
    )


@pytest.mark.parametrize("command", [("update",), ("promote", "celery"), ("doctor",)])
def test_a_project_without_a_backend(
    command: tuple[str, ...], run: Run, shop: Path
) -> None:
    (shop / "app/background.py").unlink()
    assert run(*command) == no_project(shop, "app/background.py is missing")


def test_a_folder_inside_the_project_is_enough(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop / "app" / "signup")
    assert (
        run("promote", "safe").out
        == "Nothing to do: shop has pattern safe, version v0.1.0.\n"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pattern: [safe", "while parsing a flow sequence"),
        ("\x00", "unacceptable character #x0000: special characters are not allowed"),
        (
            "[\n" * 3000,
            "maximum recursion depth exceeded while calling a Python object",
        ),
        ("- safe\n", "it is not a mapping of names to answers"),
        ("", "it is not a mapping of names to answers"),
        ("pattern: safe\n", "_commit is missing"),
        ("_commit: 1.0\npattern: safe\n", "_commit is missing"),
        (
            "_commit: v0.1.0\n_src_path: [x]\npattern: safe\n",
            "_src_path is not a string",
        ),
        (
            "_commit: v0.1.0\npattern: flask\n",
            "pattern: 'flask' is none of simple, async, safe, celery",
        ),
        (
            "_commit: v0.1.0\npattern: safe\nai: [a]\n",
            "ai: ['a'] is neither true nor false",
        ),
        (
            "_commit: v0.1.0\npattern: safe\nschedule: 'yes'\n",
            "schedule: 'yes' is neither true nor false",
        ),
        ("_commit: v0.1.0\n", "pattern: None is none of simple, async, safe, celery"),
        (
            "_commit: v0.1.0\npattern: safe\nproject_name: shop\ncolour: red\n",
            "the template asks no question named colour",
        ),
    ],
)
def test_answers_that_are_not_as_written(
    text: str, reason: str, run: Run, shop: Path
) -> None:
    write(shop, ANSWERS, text)
    before = state(shop)
    assert run("promote", "celery") == refused(
        "Cannot use the recorded answers",
        shop / ANSWERS,
        (
            "Restore the file from its history: `git log --"
            " .copier-answers.yml`, then `git checkout COMMIT --"
            " .copier-answers.yml`."
        ),
        reason,
    )
    assert state(shop) == before


def test_answers_that_no_question_allows(run: Run, shop: Path) -> None:
    edit(shop, ANSWERS, "ci: github", "ci: jenkins")
    done = run("promote", "celery")
    assert done.err.startswith(f"Cannot use the recorded answers: '{shop / ANSWERS}' (")
    assert "jenkins" in done.err


def test_answers_that_cannot_be_read(run: Run, shop: Path) -> None:
    (shop / ANSWERS).write_bytes(b"\xff")
    assert run("update").err.startswith(
        f"Cannot use the recorded answers: '{shop / ANSWERS}' ("
    )


@pytest.mark.parametrize("name", ["project_name", "ci", "ai"])
def test_a_list_for_an_answer(name: str, run: Run, shop: Path) -> None:
    text = re.sub(
        rf"^{name}: .*",
        f"{name}: [a, b]",
        (shop / ANSWERS).read_text(),
        flags=re.MULTILINE,
    )
    write(shop, ANSWERS, text)
    before = state(shop)
    error = json.loads(run("promote", "celery", "--json").out)
    assert (error["error"], error["value"]) == ("AnswersError", str(shop / ANSWERS))
    assert state(shop) == before


@pytest.mark.parametrize("loop", [True, False])
def test_answers_behind_a_link(loop: bool, run: Run, shop: Path) -> None:
    (shop / ANSWERS).rename(shop / "answers.yml")
    (shop / ANSWERS).symlink_to(ANSWERS if loop else "answers.yml")
    commit(shop)
    if loop:
        assert run("promote", "celery") == no_project(
            shop, "its .copier-answers.yml is not a file"
        )
    else:
        assert run("promote", "celery") == refused(
            "Cannot use the recorded answers",
            shop / ANSWERS,
            (
                "Restore the file from its history: `git log --"
                " .copier-answers.yml`, then `git checkout COMMIT --"
                " .copier-answers.yml`."
            ),
            "it is a symbolic link",
        )


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_answers_that_are_no_file(
    make: Callable[[Path], None], run: Run, shop: Path
) -> None:
    (shop / ANSWERS).unlink()
    make(shop / ANSWERS)
    assert run("promote", "celery") == no_project(
        shop, "its .copier-answers.yml is not a file"
    )


@pytest.mark.parametrize(
    "command",
    [("promote", "celery"), ("new", "x"), ("new", "."), ("doctor",), ("update", "x")],
)
def test_a_removed_folder(
    command: tuple[str, ...],
    run: Run,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (machine.here / "gone").mkdir()
    monkeypatch.chdir(machine.here / "gone")
    (machine.here / "gone").rmdir()
    text = refused(
        "The current folder no longer exists",
        ".",
        "Change to another folder and run the command again.",
    )
    assert run(*command) == text


def test_no_folder_for_temporary_files(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    assert run("promote", "celery") == refused(
        "Cannot write",
        "/nowhere",
        (
            "Free disk space or choose a folder that you may write to, and run"
            " the command again."
        ),
        "No usable temporary directory found",
    )


def test_answers_edited_to_other_valid_values(run: Run, shop: Path) -> None:
    edit(shop, ANSWERS, "# Written by Copier", "# MINE")
    edit(shop, ANSWERS, "ci: github", "ci: none")
    assert run("promote", "celery").code == 0
    fresh = (upgrading.original("celery") / ANSWERS).read_text()
    assert (shop / ANSWERS).read_text() == fresh.replace("ci: github", "ci: none")


def test_no_repository(run: Run, shop: Path) -> None:
    shutil.rmtree(shop / ".git")
    assert run("promote", "celery") == refused(
        "The project is not in a git repository",
        shop,
        (
            "Run `git init`, `git add --all` and `git commit -m before`, then"
            " run the command again."
        ),
    )


def test_a_repository_that_git_does_not_trust(
    run: Run, machine: Machine, shop: Path
) -> None:
    machine.install(
        "git",
        'if [ "$1" = rev-parse ]; then echo fatal: detected dubious ownership >&2; exit 128; fi\n'
        f'exec {(machine.bin / "git").readlink()} "$@"',
    )
    assert run("promote", "celery").err.startswith(
        "A git command failed: 'git rev-parse' (fatal: detected dubious ownership).\n"
    )


def test_a_bare_repository(run: Run, shop: Path) -> None:
    git(shop, "config", "core.bare", "true")
    assert run("promote", "celery") == refused(
        "The repository of the project is bare",
        shop,
        (
            "Clone it and run the command in the clone, or run `git config"
            " core.bare false`."
        ),
    )


@pytest.mark.parametrize("elsewhere", ["other", "nowhere"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_repository_that_keeps_its_files_elsewhere(
    elsewhere: str, arguments: tuple[str, ...], run: Run, shop: Path
) -> None:
    other = upgrading.copy("safe", shop.parent / "other")
    git(shop, "config", "core.worktree", str(shop.parent / elsewhere))
    before = state(shop), state(other)
    assert run("promote", "celery", *arguments) == refused(
        "The repository of the project has its work tree elsewhere",
        shop,
        (
            "Run the command there; or, if core.worktree is set by mistake, run"
            " `git config --unset core.worktree`."
        ),
        f"it is in {shop.parent / elsewhere}",
    )
    assert (state(shop), state(other)) == before


def test_a_repository_beside_its_files(run: Run, shop: Path) -> None:
    (shop / ".git").rename(shop.parent / "shop.git")
    (shop / ".git").write_text("gitdir: ../shop.git\n")
    git(shop, "config", "core.worktree", "../shop")
    assert run("promote", "celery").code == 0
    assert upgrading.like_new(shop, "celery")


@pytest.mark.parametrize("text", ["gitdir: /nowhere\n", "rubbish\n"])
def test_a_git_file_that_leads_nowhere(text: str, run: Run, shop: Path) -> None:
    shutil.rmtree(shop / ".git")
    (shop / ".git").write_text(text)
    error = json.loads(run("promote", "celery", "--json").out)
    assert error["error"] == (
        "NoRepositoryError" if text.startswith("gitdir") else "GitCommandError"
    )


@pytest.mark.parametrize("broken", ["HEAD:README.md", "HEAD^{tree}", "HEAD"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_broken_object(
    broken: str, arguments: tuple[str, ...], run: Run, machine: Machine
) -> None:
    shop = upgrading.copy("simple", machine.here / "broken")
    name = git(shop, "rev-parse", broken)
    file = shop / ".git/objects" / name[:2] / name[2:]
    file.chmod(0o644)
    file.write_bytes(b"rubbish")
    before = state(shop)
    error = json.loads(run("promote", "celery", "broken", *arguments, "--json").out)
    assert (error["error"], error["what"]) == (
        "GitCommandError",
        "A git command failed",
    )
    assert error["value"] == (
        "git diff" if broken == "HEAD:README.md" else "git ls-tree"
    )
    after = state(shop)
    assert after == before or not arguments
    assert (shop / "README.md").read_bytes() == (
        upgrading.original("simple") / "README.md"
    ).read_bytes()


@pytest.mark.parametrize("born", [True, False])
def test_no_commit_of_the_project(born: bool, run: Run, shop: Path) -> None:
    shutil.rmtree(shop / ".git")
    git(shop, "init", "--quiet")
    if born:
        git(shop, "commit", "--quiet", "--allow-empty", "--message=nothing")
    assert run("promote", "celery") == refused(
        "The project is not committed",
        shop,
        ("Run `git add --all` and `git commit -m before`, then run the command again."),
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase or git am"),
        ("sequencer", "a cherry-pick or a revert of several commits"),
    ],
)
def test_the_middle_of_something_else(
    name: str, what: str, run: Run, shop: Path
) -> None:
    (shop / ".git" / name).touch()
    assert run("promote", "celery", "--dry-run") == refused(
        "The repository has an operation in progress",
        shop,
        ("Finish or abort it (`git status` says how), then run the command again."),
        what,
    )


def not_clean(shop: Path, *, files: str) -> object:
    """Return the error for a repository with changes."""
    return refused(
        "The repository has uncommitted changes",
        shop,
        "Run `git commit --all` or `git stash`, then run the command again.",
        files,
    )


def test_changes_that_are_not_committed(run: Run, shop: Path) -> None:
    (shop / "README.md").write_text("mine")
    git(shop, "mv", "compose.yaml", "other.yaml")
    before = state(shop)
    for dry in ((), ("--dry-run",)):
        done = run("promote", "celery", *dry)
        assert done == not_clean(shop, files="README.md, compose.yaml, other.yaml")
    assert (shop / "README.md").read_text() == "mine"
    assert state(shop) == before


def test_many_changes_are_counted(run: Run, shop: Path) -> None:
    git(shop, "rm", "-r", "--quiet", "app/signup", "app/actions", "docs")
    assert run("update").code == 0  # there is nothing to do, so nobody cares
    gone = git(shop, "diff", "--name-only", "HEAD").splitlines()
    counted = f"({', '.join(gone[:5])} and {len(gone) - 5} more).\n"
    assert counted in run("promote", "celery").err


COMMANDS = [
    ("promote", "celery"),
    ("promote", "celery", "--dry-run"),
    ("promote", "async"),
    ("promote", "async", "--dry-run"),
    ("update",),
    ("update", "--dry-run"),
    ("update", "--with-schedule"),
    ("add", "task", "invoices.tidy"),
]
BOTH = "app/runner/worker.py, docs/background.md"


def unresolved(root: Path, files: str) -> Outcome:
    """Return the error for a repository with conflicts."""
    return refused(
        "The repository has unresolved merge conflicts",
        root,
        (
            "Resolve them: edit each file, `git add` it and run `git commit`. Or drop"
            " all uncommitted changes with `git reset --hard`. Then run the command"
            " again."
        ),
        files,
    )


@pytest.fixture
def promoted(run: Run, shop: Path) -> Path:
    """Return a project that a promote to celery has left with two conflicts."""
    write(shop, "app/runner/worker.py", "mine\n")
    write(shop, "docs/background.md", "mine\n")
    assert run("promote", "celery").code == 3
    return shop


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_conflicts_that_are_unresolved(
    command: tuple[str, ...], run: Run, promoted: Path
) -> None:
    before = state(promoted)
    assert run(*command) == unresolved(promoted, BOTH)
    assert state(promoted) == before


def test_unresolved_conflicts_in_json(run: Run, promoted: Path) -> None:
    error = json.loads(run("promote", "celery", "--json").out)
    assert (error["error"], error["value"], error["reason"]) == (
        "UnresolvedConflictsError",
        str(promoted),
        BOTH,
    )


def test_git_add_resolves_conflicts(run: Run, promoted: Path) -> None:
    git(promoted, "add", "docs/background.md")
    assert run("promote", "celery") == unresolved(promoted, "app/runner/worker.py")
    git(promoted, "rm", "--quiet", "app/runner/worker.py")
    assert run("promote", "async").err.startswith(
        "The repository has uncommitted changes: "
    )
    git(promoted, "commit", "--quiet", "--no-edit")
    expected = "Nothing to do: shop has pattern celery, version v0.1.0.\n"
    assert run("promote", "celery") == Outcome(0, expected, "")


def test_conflicts_are_taken_back_by_git_reset(run: Run, promoted: Path) -> None:
    git(promoted, "reset", "--quiet", "--hard")
    expected = "Nothing to do: shop has pattern safe, version v0.1.0.\n"
    assert run("promote", "safe") == Outcome(0, expected, "")


def test_many_conflicts_are_counted(run: Run, shop: Path) -> None:
    open_conflict(shop, "app/signup", "docs")
    files = git(shop, "ls-files", "app/signup", "docs").splitlines()
    names = list(dict.fromkeys(files))
    assert run("update") == unresolved(
        shop, f"{', '.join(names[:5])} and {len(names) - 5} more"
    )


def test_a_conflict_in_the_answers(run: Run, shop: Path) -> None:
    open_conflict(shop, ANSWERS)
    (shop / ANSWERS).write_text(
        "<<<<<<< HEAD\npattern: safe\n=======\n>>>>>>> theirs\n"
    )
    assert run("update") == unresolved(shop, ANSWERS)


def test_a_conflict_of_the_users_own_merge(run: Run, shop: Path) -> None:
    open_conflict(shop, "README.md")
    (shop / ".git/MERGE_HEAD").touch()
    for command in COMMANDS:
        assert run(*command) == refused(
            "The repository has an operation in progress",
            shop,
            ("Finish or abort it (`git status` says how), then run the command again."),
            "a merge",
        )


def test_a_conflict_beside_the_project(run: Run, machine: Machine) -> None:
    root = machine.here / "mono"
    for name in ("a", "b"):
        shutil.rmtree(upgrading.copy("safe", root / name) / ".git")
    git(root, "init", "--quiet")
    commit(root)
    open_conflict(root, "a/README.md")
    for dry in ((), ("--dry-run",)):
        assert run("promote", "celery", "mono/b", *dry) == unresolved(
            root, "a/README.md"
        )
    assert run("promote", "safe", "mono/b").out.startswith("Nothing to do: ")
    assert run("add", "task", "invoices.tidy", "--path=mono/b").code == 0
    assert run("add", "task", "invoices.tidy", "--path=mono/a") == unresolved(
        root, "a/README.md"
    )


def test_git_is_missing_when_conflicts_are_listed(
    run: Run, machine: Machine, shop: Path
) -> None:
    (machine.bin / "git").unlink()
    assert run("promote", "safe").out.startswith("Nothing to do: ")
    assert run("add", "task", "invoices.tidy").code == 0


@pytest.mark.parametrize("git", ["", "echo git version 2.37.9"])
def test_no_git_or_an_old_one(git: str, run: Run, machine: Machine, shop: Path) -> None:
    machine.install("git", git)
    if not git:
        (machine.bin / "git").unlink()
    what = (
        "This git is too old: 'git version 2.37.9'"
        if git
        else "Program not found on PATH: 'git'"
    )
    for command in (("promote", "celery"), ("update",)):
        assert run(*command).err.startswith(f"{what}.\n")


@pytest.mark.parametrize(
    "recorded", ["v9.9.9", "0123abc", "v0.1.0-3-g0123abc", "HEAD~99", "--all"]
)
@pytest.mark.parametrize(
    "command", [("promote", "celery"), ("promote", "celery", "--dry-run")]
)
def test_a_version_that_nobody_knows(
    recorded: str, command: tuple[str, ...], run: Run, shop: Path
) -> None:
    edit(shop, ANSWERS, f"_commit: {helpers.TAG}", f"_commit: {recorded}")
    assert run(*command) == refused(
        "This bgscaffold does not have the version the project was created from",
        recorded,
        (
            "Upgrade bgscaffold (`uv tool upgrade bgscaffold`, or `python3 -m"
            " pip install --upgrade bgscaffold`). If a checkout created the"
            " project, run that checkout."
        ),
        f"it has {helpers.TAG}",
    )


@pytest.mark.parametrize(
    "source", ["https://example.com/fork.git", "../bgscaffold", "/nowhere é"]
)
def test_another_source_is_kept(source: str, run: Run, shop: Path) -> None:
    text = (shop / ANSWERS).read_text()
    lines = [
        f"_src_path: {source}" if line.startswith("_src") else line
        for line in text.splitlines()
    ]
    write(shop, ANSWERS, "\n".join(lines) + "\n")
    assert run("promote", "celery").code == 0
    assert f"_src_path: {source}\n" in (shop / ANSWERS).read_text()


DECLARES = """\
from app.background import background_tasks, task as declared
from app import background

OPTIONS = {"timeout": 1}

@background.task("orders.print", retries=5, timeout=3)
def print_order(): ...

@declared("orders.pack", queue="slow", retry_on=(OSError, ValueError))
def pack(): ...

@background.task("orders.count", **OPTIONS)
def count(): ...

def send(tasks):
    tasks.options(key="x").add_task(print_order)
    tasks.options(key=None).add_task(print_order)
    tasks.options("a", priority=1)
    (lambda: tasks)().add(task, retries=1)
"""


def test_options_that_the_pattern_cannot_do(run: Run, shop: Path) -> None:
    write(shop, "app/orders/tasks.py", DECLARES)
    write(shop, "app/orders/broken.py", "def (\n")
    before = state(shop)
    for dry in ((), ("--dry-run",)):
        assert run("promote", "simple", *dry) == refused(
            "The code uses options that the pattern does not support",
            "pattern simple",
            "Remove them and commit, or choose another pattern: safe, celery.",
            "task 'orders.print' declares retries=5 at app/orders/tasks.py:6;"
            " task 'orders.pack' declares queue='slow' at app/orders/tasks.py:9;"
            " task 'orders.pack' declares retry_on=(OSError, ValueError) at app/orders/tasks.py:9;"
            " a call declares key='x' at app/orders/tasks.py:16",
        )
    assert state(shop) == before
    assert run("promote", "celery").code == 0


DEEP = f"""\
@task("orders.print", retries={"1 + " * 1500}1)
def print_order(): ...
"""


def test_an_option_that_is_deeply_nested(run: Run, shop: Path) -> None:
    write(shop, "app/orders/tasks.py", DEEP)
    write(shop, "app/orders/deeper.py", f"x = {'-' * 6000}1\n")
    os.mkfifo(shop / "app/orders/pipe.py")
    assert "(task 'orders.print' declares retries=... at app/orders/tasks.py:1).\n" in (
        run("promote", "simple").err
    )
    assert run("promote", "celery").code == 0


def test_a_queue_needs_celery(run: Run, machine: Machine) -> None:
    shop = upgrading.copy("celery", machine.here / "shop")
    text = '@task("orders.pack", queue="slow")\ndef pack(): ...\n'
    write(shop, "app/orders/tasks.py", text)
    assert (
        "(task 'orders.pack' declares queue='slow' at app/orders/tasks.py:1).\n"
        in run("promote", "safe", "shop").err
    )


@pytest.mark.parametrize("command", ["check-ignore", "merge-tree", "commit-tree"])
def test_a_git_command_that_fails(
    command: str, run: Run, machine: Machine, shop: Path
) -> None:
    real = (machine.bin / "git").readlink()
    machine.install(
        "git",
        f'if [ "$1" = {command} ]; then echo no >&2; exit 9; fi; exec {real} "$@"',
    )
    before = upgrading.status(shop)
    assert run("promote", "celery", "--dry-run").err.startswith(
        f"A git command failed: 'git {command}' (no).\n"
    )
    assert upgrading.status(shop) == before == ""


def test_no_space_for_the_renders(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "copier.yml")

    monkeypatch.setattr(bgscaffold.upgrade.workspace, "check_out", full)
    assert run("promote", "celery").err.startswith(
        "Cannot write: 'copier.yml' (No space left on device).\n"
    )


@pytest.mark.parametrize("step", ["clone", "check_out"])
@pytest.mark.parametrize(
    "error",
    [
        GitCommandError("git checkout", "error: unable to write a.py\nfatal: no space"),
        OSError(errno.ENOSPC, "no space", "a.py"),
    ],
)
def test_a_full_folder_for_temporary_files(
    error: Exception, step: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    usage = shutil.disk_usage(shop)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=2**20 - 1))
    monkeypatch.setattr(bgscaffold.upgrade.workspace, step, full)
    monkeypatch.setattr("tempfile.tempdir", str(shop.parent))
    done = run("promote", "celery")
    assert done == refused(
        "The folder for temporary files is full; nothing was changed",
        shop.parent,
        (
            "Free 10 MB there, or set TMPDIR to another folder, and run the"
            " command again."
        ),
        done.err.partition("(")[2].partition(")")[0],
    )
    assert "(no space)" in done.err.replace("fatal: ", "")


def test_an_update_to_what_cannot_be_rendered(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgscaffold.upgrade.workspace, "clone", fails)
    assert run("update").err.startswith("A git command failed: 'git clone'.\n")


def fails(*_: object) -> None:
    """Fail as git does."""
    raise GitCommandError("git clone")


Step = Callable[..., object]


@pytest.mark.parametrize(
    "step",
    [
        "workspace.clone",
        "workspace.check_out",
        "workspace.render",
        "command.write_sides",
        "command.plan_merge",
    ],
)
def test_an_interrupt_before_the_merge_changes_nothing(
    step: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(shop)

    def stopped(*_: object, **__: object) -> None:
        os.kill(os.getpid(), 2)

    monkeypatch.setattr(f"bgscaffold.upgrade.{step}", stopped)
    text = "Interrupted; nothing was changed. Run the command again.\n"
    done = run("promote", "celery", "--dry-run")
    assert (done.code, done.out, done.err) == (130, "", text)
    assert state(shop) == before


def test_an_interrupt_during_the_merge_comes_too_late(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = bgscaffold.upgrade.merge.merge

    def interrupted(*sides: object) -> object:
        os.kill(os.getpid(), 2)
        return merge(*sides)  # type: ignore[arg-type]  # the same that came

    monkeypatch.setattr(bgscaffold.upgrade.transaction, "merge", interrupted)
    assert run("promote", "celery").code == 0
    assert upgrading.like_new(shop, "celery")


def test_a_commit_beside_the_project_is_enough(run: Run, shop: Path) -> None:
    (shop / "notes.txt").write_text("not tracked")
    assert run("promote", "celery").code == 0
    assert (shop / "notes.txt").read_text() == "not tracked"
    commit(shop)


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_files_that_git_overlooks(
    mark: str, arguments: tuple[str, ...], run: Run, shop: Path
) -> None:
    helpers.git("update-index", mark, "README.md", "compose.yaml", cwd=shop)
    (shop / "README.md").write_text("mine\n")
    before = state(shop)
    assert run("promote", "celery", *arguments) == refused(
        "Files of the project are marked assume-unchanged or skip-worktree",
        shop,
        (
            "Run `git update-index --no-assume-unchanged --no-skip-worktree"
            " FILE` or `git sparse-checkout disable`, commit what `git status`"
            " shows, then run the command again."
        ),
        "README.md, compose.yaml",
    )
    assert state(shop) == before


def test_a_sparse_checkout_around_the_project_is_enough(
    run: Run, machine: Machine
) -> None:
    root = machine.here / "mono"
    for name in ("a", "b"):
        shutil.rmtree(upgrading.copy("safe", root / name) / ".git")
    git(root, "init", "--quiet")
    commit(root)
    git(root, "sparse-checkout", "set", "a")
    assert not (root / "b").exists()
    assert run("promote", "celery", "mono/a").code == 0
    assert upgrading.like_new(root / "a", "celery")
    git(root, "reset", "--quiet", "--hard")
    git(root, "sparse-checkout", "set", "--no-cone", "a", "!a/docs")
    assert "(a/docs/background.md, " in run("promote", "celery", "mono/a").err


@pytest.fixture
def submodule(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a submodule in the project."""
    monkeypatch.setenv("PATH", os.defpath)  # git's submodules want more than git
    other = shop.parent / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    write(other, "file", "theirs\n")
    local = ("-c", "protocol.file.allow=always")
    git(shop, *local, "submodule", "--quiet", "add", str(other), "vendor/other")
    commit(shop)
    return shop / "vendor/other"


def test_what_a_submodule_does_not_track(run: Run, submodule: Path) -> None:
    (submodule / "notes.txt").write_text("mine")
    assert run("promote", "celery").code == 0
    assert (submodule / "notes.txt").read_text() == "mine"


def test_a_change_in_a_submodule_is_a_change(
    run: Run, shop: Path, submodule: Path
) -> None:
    (submodule / "file").write_text("mine")
    assert run("promote", "celery") == not_clean(shop, files="vendor/other")


def test_a_partial_clone(run: Run, machine: Machine) -> None:
    root = machine.here / "mono"
    for name in ("a", "b"):
        shutil.rmtree(upgrading.copy("safe", root / name) / ".git")
    git(root, "init", "--quiet")
    git(root, "config", "uploadpack.allowFilter", "true")
    commit(root)
    write(root, "b/only-there.txt", "only there\n")
    partial = ("--quiet", "--filter=blob:none", "--no-checkout")
    git(machine.here, "clone", *partial, f"file://{root}", "clone")
    clone = machine.here / "clone"
    git(clone, "sparse-checkout", "set", "a")
    git(clone, "checkout", "--quiet")
    shutil.rmtree(root)  # nothing can be fetched any more
    assert run("promote", "celery", "clone/a", "--dry-run").code == 0
    assert run("promote", "celery", "clone/a").code == 0
    assert upgrading.like_new(clone / "a", "celery")


@pytest.mark.parametrize("strategy", ["ours", "recursive", "resolve", "nonsense"])
def test_the_users_strategy_of_merging(strategy: str, run: Run, shop: Path) -> None:
    git(shop, "config", "pull.twohead", strategy)
    assert run("promote", "celery").code == 0
    assert upgrading.like_new(shop, "celery")
