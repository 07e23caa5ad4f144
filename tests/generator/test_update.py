"""`bgscaffold update`: from version to version, with the answers that a project has."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bgscaffold.template.source
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_copier import copier
from tests.generator.test_errors import refused
from tests.generator.upgrading import commit, edit, state, status, write

pytestmark = pytest.mark.usefixtures("small_template")

ANSWERS = ".copier-answers.yml"
OLD, NOW, NEXT = "v0.0.9", helpers.TAG, "v0.2.0rc1"
FILE = "template/docs/tasks.md"


@pytest.fixture
def versions(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Render from a repository with an older version, this one, and a newer one."""
    folder = machine.home / "template"
    helpers.git(
        "clone",
        "--quiet",
        str(upgrading.small_template()),
        str(folder),
        cwd=machine.home,
    )
    now = (folder / FILE).read_text()
    questions = (folder / "copier.yml").read_text()
    release(
        folder, OLD, {FILE: f"{now}\nold one\nold two\n", "template/gone.txt": "gone\n"}
    )
    (folder / "template/gone.txt").unlink()
    asks = f"{questions}\ncolour: {{type: str, default: red}}\n"
    extra = {"copier.yml": asks, "template/colour.txt.jinja": "{{ colour }}\n"}
    revision = "template/app/migrations/versions/0002_more.py"
    release(folder, NOW, {FILE: f"{now}\nnew one\nold two\n"})
    release(folder, NEXT, {FILE: f"{now}\nnewer\n", revision: "# more\n"} | extra)
    helpers.git("tag", "vnext", cwd=folder)  # no version, and named as none
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: folder)
    return folder


def release(folder: Path, tag: str, files: dict[str, str]) -> None:
    """Commit files to the template and tag that."""
    for path, text in files.items():
        (folder / path).write_text(text)
    helpers.git("add", "--all", cwd=folder)
    helpers.git("commit", "--quiet", f"--message={tag}", cwd=folder)
    helpers.git("tag", "--force", tag, cwd=folder)


Make = Callable[..., Path]


@pytest.fixture
def make(
    run: Run, machine: Machine, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Return a function that commits a project of a version in the current folder."""

    def made(tag: str) -> Path:
        with monkeypatch.context() as patch:
            patch.setattr(bgscaffold.template.source, "TAG", tag)
            assert run("new", "shop", "--pattern=safe").code == 0
        monkeypatch.chdir(machine.here / "shop")
        return machine.here / "shop"

    return made


def test_moves_a_project_to_this_version(
    run: Run, make: Make, machine: Machine
) -> None:
    shop = make(OLD)
    before = state(shop)
    preview = run("update", "--dry-run")
    assert state(shop) == before
    done = run("update")
    changes = (
        "  changed  .copier-answers.yml     +1     -1\n"
        "  changed  docs/tasks.md           +1     -1\n"
        "  deleted  gone.txt                       -1\n"
        "3 files, 2 lines added, 3 removed.\n"
        "\n"
        "Next:\n"
    )
    assert preview == Outcome(
        0,
        f"Would update shop from {OLD} to {NOW}:\n\n{changes}"
        f"  bgscaffold update --to={NOW}       apply the changes\n"
        "\n"
        "Nothing was changed.\n",
        "",
    )
    assert done == Outcome(
        0,
        f"Updated shop from {OLD} to {NOW}; not committed yet:\n\n{changes}"
        "  uv run poe test                     run its tests\n"
        "  git commit                          commit it; the message is prepared\n"
        "\n"
        "To undo it: git reset --hard\n"
        f"Equivalent command: bgscaffold update --to={NOW}\n",
        "",
    )
    helpers.git("commit", "--quiet", "--no-edit", cwd=shop)
    assert helpers.git("log", "-1", "--format=%s", cwd=shop) == (
        f"Update shop from bgscaffold {OLD} to {NOW}"
    )
    assert run("new", "../fresh/shop", "--pattern=safe").code == 0
    assert helpers.tree(shop) == helpers.tree(machine.here / "fresh/shop")
    expected = f"Nothing to do: shop has pattern safe, version {NOW}.\n"
    assert run("update") == Outcome(0, expected, "")


@pytest.mark.parametrize("to", ["0.2.0rc1", "v0.2.0rc1"])
def test_moves_a_project_to_a_version(to: str, run: Run, make: Make) -> None:
    shop = make(NOW)
    done = run("update", "--to", to)
    assert (done.code, done.err) == (0, "")
    assert (
        "  uv run poe migrate                  PostgreSQL only; SQLite migrates at the start\n"
        in done.out
    )
    assert (shop / "colour.txt").read_text() == "red\n"
    answers = (shop / ANSWERS).read_text()
    assert f"_commit: {NEXT}\n" in answers
    assert "colour: red\n" in answers


def test_keeps_what_the_user_wrote(run: Run, make: Make) -> None:
    shop = make(OLD)
    edit(shop, "docs/tasks.md", "old two\n", "old two, MINE\n")
    write(shop, "gone.txt", "gone\nMINE\n")
    write(shop, "app/orders/tasks.py", "# MINE\n")
    done = run("update", "--json")
    assert done.code == 3
    assert [
        (each["kind"], each["path"]) for each in json.loads(done.out)["conflicts"]
    ] == [
        ("UU", "docs/tasks.md"),
        ("UD", "gone.txt"),
    ]
    assert (shop / "gone.txt").read_text() == "gone\nMINE\n"
    assert "old two, MINE\n" in (shop / "docs/tasks.md").read_text()
    assert (shop / "app/orders/tasks.py").read_text() == "# MINE\n"
    helpers.git("reset", "--quiet", "--hard", cwd=shop)
    assert status(shop) == ""


def test_promote_stays_at_the_version(run: Run, make: Make) -> None:
    shop = make(OLD)
    assert run("promote", "celery").code == 0
    assert f"_commit: {OLD}\n" in (shop / ANSWERS).read_text()
    assert "old one\n" in (shop / "docs/tasks.md").read_text()
    assert (shop / "gone.txt").exists()


@pytest.mark.parametrize("to", ["0.5", "", "v", "HEAD", "next"])
def test_a_version_that_there_is_not(to: str, run: Run, make: Make) -> None:
    shop = make(OLD)
    before = state(shop)
    assert run("update", f"--to={to}") == refused(
        "This bgscaffold does not have the version",
        to,
        "Leave out --to for its own version, or upgrade bgscaffold.",
        f"it has {OLD}, {NOW}, {NEXT}",
    )
    assert state(shop) == before


def test_a_checkout_without_versions(
    run: Run, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(NOW)
    untagged = ("--quiet", "--no-tags", str(upgrading.small_template()), "untagged")
    helpers.git("clone", *untagged, cwd=tmp_path)
    monkeypatch.setattr(
        bgscaffold.template.source, "location", lambda: tmp_path / "untagged"
    )
    commit = helpers.git("rev-parse", "--short", "HEAD", cwd=tmp_path / "untagged")
    done = run("update", "--to=99.0.0")
    assert done.err.splitlines() == [
        f"This bgscaffold does not have the version: '99.0.0' (it has {commit}).",
        "Leave out --to for its own version, or upgrade bgscaffold.",
    ]


@pytest.mark.parametrize("arguments", [(), ("--to=0.0.9",)])
def test_no_way_back(arguments: tuple[str, ...], run: Run, make: Make) -> None:
    make(NEXT)
    assert run("update", *arguments) == refused(
        "The project is newer than the version to update to",
        OLD if arguments else NOW,
        "Upgrade bgscaffold. To go back, revert the commit of the update.",
        f"the project has {NEXT}",
    )


def test_a_project_of_a_version_to_come(run: Run, make: Make) -> None:
    shop = make(OLD)
    edit(shop, ANSWERS, f"_commit: {OLD}", "_commit: v9.9.9")
    assert run("update").err.startswith(
        f"The project is newer than the version to update to: '{NOW}' (the project has v9.9.9).\n"
    )


def test_a_project_of_a_commit_between_versions(
    run: Run, make: Make, versions: Path, machine: Machine
) -> None:
    helpers.git("checkout", "--quiet", OLD, cwd=versions)
    (versions / "template/between.txt").write_text("between\n")
    helpers.git("add", "--all", cwd=versions)
    helpers.git("commit", "--quiet", "--message=between", cwd=versions)
    described = helpers.git("describe", "--tags", cwd=versions)
    helpers.git("branch", "keep", cwd=versions)
    shop = make(OLD)
    write(shop, "between.txt", "between\n")
    edit(shop, ANSWERS, f"_commit: {OLD}", f"_commit: {described}")
    assert run("update").code == 0
    assert not (shop / "between.txt").exists()


def test_a_commit_between_versions_can_be_named(
    run: Run, make: Make, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make(OLD)
    helpers.git("tag", "--delete", "vnext", cwd=versions)
    helpers.git("commit", "--quiet", "--allow-empty", "--message=more", cwd=versions)
    monkeypatch.setattr(bgscaffold.template.source, "TAG", "v0.3.0")
    described = helpers.git("describe", "--tags", cwd=versions)
    assert described.startswith(f"{NEXT}-1-g")
    again = json.loads(run("update", "--dry-run", "--json").out)["command"]
    assert again == f"bgscaffold update --to={described}"
    assert run("update", f"--to={described}").code == 0
    assert f"_commit: {described}\n" in (shop / ANSWERS).read_text()


def test_a_project_of_a_bare_commit(run: Run, make: Make, versions: Path) -> None:
    shop = make(OLD)
    short = helpers.git("rev-parse", "--short", OLD, cwd=versions)
    edit(shop, ANSWERS, f"_commit: {OLD}", f"_commit: '{short}'")
    assert run("update").code == 0
    assert f"_commit: {NOW}\n" in (shop / ANSWERS).read_text()


def test_a_project_that_copier_made(run: Run, versions: Path, machine: Machine) -> None:
    copier("copy", str(versions), "shop", f"--vcs-ref={OLD}", cwd=machine.here)
    helpers.git("init", "--quiet", cwd=machine.here / "shop")
    commit(machine.here / "shop")
    assert run("update", "shop").code == 0
    answers = (machine.here / "shop" / ANSWERS).read_text()
    assert f"_commit: {NOW}\n_src_path: {versions}\n" in answers
    commit(machine.here / "shop")
    copier("update", f"--vcs-ref={NEXT}", cwd=machine.here / "shop")
    assert (machine.here / "shop/colour.txt").read_text() == "red\n"


def test_a_folder_of_a_larger_repository(
    run: Run, make: Make, machine: Machine
) -> None:
    shop = make(OLD)
    root = machine.here
    (shop / ".git").rename(machine.home / "unused")
    helpers.git("init", "--quiet", cwd=root)
    commit(root)
    done = run("update")
    assert (done.code, done.err) == (0, "")
    assert "  deleted  gone.txt " in done.out
    assert not (shop / "gone.txt").exists()


def test_an_answer_that_a_later_version_does_not_ask_is_dropped(
    run: Run, make: Make, versions: Path
) -> None:
    shop = make(NEXT)
    plain = helpers.git("show", f"{NOW}:copier.yml", cwd=versions)
    (versions / "template/colour.txt.jinja").unlink()
    release(versions, "v0.3.0", {"copier.yml": f"{plain}\n"})
    assert run("update", "--to=0.3.0").code == 0
    assert "colour" not in (shop / ANSWERS).read_text()


def test_a_file_that_copier_writes_once_is_left_alone(
    run: Run, make: Make, versions: Path
) -> None:
    shop = make(OLD)
    write(shop, "gone.txt", "MINE\n")
    questions = helpers.git("show", f"{NOW}:copier.yml", cwd=versions)
    once = questions.replace(
        "_skip_if_exists: [.env]", "_skip_if_exists: [.env, gone.txt, '*.once']"
    )
    (versions / "template/colour.txt.jinja").unlink()
    files = {
        "copier.yml": f"{once}\n",
        "template/gone.txt": "new\n",
        "template/a.once": "a\n",
    }
    release(versions, "v0.3.0", files)
    preview = run("update", "--to=0.3.0", "--dry-run")
    assert "  a.once: would be created, but git ignores it\n" in preview.out
    assert not (shop / "a.once").exists()
    assert run("update", "--to=0.3.0").code == 0
    assert (shop / "gone.txt").read_text() == "MINE\n"
    assert (shop / "a.once").read_text() == "a\n"


def test_a_template_that_the_answers_do_not_fit(
    run: Run, make: Make, versions: Path
) -> None:
    shop = make(OLD)
    before = state(shop)
    release(versions, "v0.3.0", {"template/broken.jinja": "{{ nothing }}"})
    assert run("update", "--to=0.3.0").err.startswith(
        "Cannot render the template: 'UndefinedError'"
    )
    assert state(shop) == before
    assert not upgrading.like_new(shop, "celery")


def test_each_file_of_a_deleted_folder_is_listed(
    run: Run, make: Make, versions: Path
) -> None:
    shop = make(NEXT)
    lines = "".join(f"line {number}\n" for number in range(20))
    release(
        versions, "v0.3.0", {"template/docs/a.md": lines, "template/docs/b.md": "b\n"}
    )
    assert run("update", "--to=0.3.0").code == 0
    commit(shop)
    helpers.git("mv", "template/docs/a.md", "template/docs/c.md", cwd=versions)
    more = {"template/docs/c.md": f"{lines}more\n", "template/docs/b.md": "more\n"}
    release(versions, "v0.4.0", more)
    helpers.git("rm", "-r", "--quiet", "docs", cwd=shop)
    commit(shop)
    preview = run("update", "--to=0.4.0", "--dry-run")
    done = run("update", "--to=0.4.0")
    assert (preview.code, done.code) == (0, 0)
    report = (
        "  docs/a.md: stays deleted, although the new version changes it\n"
        "  docs/b.md: stays deleted, although the new version changes it\n\n"
    )
    assert report in preview.out
    assert report in done.out
    assert not (shop / "docs").exists()
