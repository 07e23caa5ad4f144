"""What is read from the code of a project: migrations, options of tasks, settings."""

from pathlib import Path

import pytest

from bgscaffold.analysis.migrations import MigrationDivergence, find_divergence
from bgscaffold.analysis.task_options import OptionUse, Setting, find_settings
from bgscaffold.analysis.task_options import option_uses as find_options

VERSIONS = "app/migrations/versions"


def project(folder: Path, **files: str) -> Path:
    """Create a project; each file is named without its folder and its suffix."""
    (folder / VERSIONS).mkdir(parents=True)
    (folder / "app/background.py").touch()
    for name, text in files.items():
        (folder / VERSIONS / f"{name}.py").write_text(text)
    return folder


FIRST = "revision: str = '0001'\ndown_revision: str | None = None\n"


def after(follows: str, revision: str) -> str:
    """Return a migration that follows another one."""
    return f"revision = {revision!r}\ndown_revision = {follows!r}\n"


# ---- Migrations ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "added", "expected"),
    [
        ({}, {}, MigrationDivergence()),
        ({"mine": after("0001", "abc")}, {}, MigrationDivergence()),
        (
            {},
            {"new": after("0001", "0002")},
            MigrationDivergence(downgrade_target="0001"),
        ),
        (
            {"mine": after("0001", "abc")},
            {"new": after("0001", "0002"), "newer": after("0002", "0003")},
            MigrationDivergence(heads=["0003", "abc"], downgrade_target="0002@0001"),
        ),
        (
            {"mine": after("0001", "0002")},
            {"new": after("0001", "0002")},
            MigrationDivergence(
                twins=[(f"{VERSIONS}/mine.py", f"{VERSIONS}/new.py")],
                downgrade_target="new@0001",
            ),
        ),
        (
            {},
            {"new": "revision = '0002'\n"},
            MigrationDivergence(heads=["0001", "0002"], downgrade_target="0002@base"),
        ),
    ],
)
def test_migrations_that_an_update_adds(
    own: dict[str, str],
    added: dict[str, str],
    expected: MigrationDivergence,
    tmp_path: Path,
) -> None:
    old = project(tmp_path / "old", first=FIRST)
    new = project(tmp_path / "new", first=FIRST, **added)
    mine = project(tmp_path / "mine", first=FIRST, **own)
    divergence = find_divergence(mine, old, new)
    assert divergence == expected
    assert bool(divergence) is bool(expected.twins or expected.heads)


def test_a_merge_follows_several_revisions(tmp_path: Path) -> None:
    merge = "revision = 'm'\ndown_revision = ('a', 'b')\nbranch_labels = f()\n"
    files = {"a": after("0001", "a"), "b": after("0001", "b"), "m": merge}
    mine = project(
        tmp_path / "mine", first=FIRST, **files, no_revision="x = y = 1\na.b = 2\n"
    )
    old = project(tmp_path / "old", first=FIRST)
    new = project(tmp_path / "new", first=FIRST, other=after("0001", "z"))
    assert find_divergence(mine, old, new).heads == ["m", "z"]


# ---- Options -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "owner", "option", "value"),
    [
        ("@task('a.b', retries=3)\ndef f(): ...", "task 'a.b'", "retries", "3"),
        ("@bg.task('a.b', queue='x')\ndef f(): ...", "task 'a.b'", "queue", "'x'"),
        ("background_tasks.options(key=x)", "a call", "key", "x"),
        (f"task('a.b', timeout={'-' * 2000}1)", "task 'a.b'", "timeout", "..."),
    ],
)
def test_options_that_are_declared(
    code: str, owner: str, option: str, value: str, tmp_path: Path
) -> None:
    shop = project(tmp_path)
    (shop / "app/x.py").write_text(f"\n{code}\n")
    assert list(find_options(shop)) == [
        OptionUse(owner=owner, option=option, value=value, place="app/x.py:2")
    ]


def test_an_option_as_text() -> None:
    use = OptionUse(owner="a call", option="key", value="x", place="app/x.py:2")
    assert str(use) == "a call declares key=x at app/x.py:2"


def test_another_name_of_task(tmp_path: Path) -> None:
    shop = project(tmp_path)
    code = "from afterward import progress, task as declared\n\ndeclared('a.b', retries=1)(f)\n"
    (shop / "app/x.py").write_text(code)
    assert [use.owner for use in find_options(shop)] == ["task 'a.b'"]


@pytest.mark.parametrize(
    "code",
    [
        "background_tasks.options(key=None)",
        "task(NAME, retries=1)",
        "task()",
        "options(1, key=2)",
        "f(retries=1)",
        "task('a.b', colour=1)",
        "[f][0](retries=1)",
        "def f(:",
    ],
)
def test_what_declares_no_option(code: str, tmp_path: Path) -> None:
    shop = project(tmp_path)
    (shop / "app/x.py").write_text(f"{code}\n")
    assert list(find_options(shop)) == []


# ---- Settings ------------------------------------------------------------------------


def test_settings(tmp_path: Path) -> None:
    shop = project(tmp_path)
    (shop / "afterward").mkdir()
    code = "class Settings({}):\n    x = 1\n    {}: int = 1\n"
    (shop / "app/settings.py").write_text(code.format("BaseSettings", "mine"))
    (shop / "app/model.py").write_text(code.format("BaseModel", "field"))
    (shop / "afterward/settings.py").write_text(
        code.format("pydantic_settings.BaseSettings", "theirs")
    )
    assert list(find_settings(shop)) == [
        Setting(name="MINE", file="app/settings.py", line=3),
        Setting(name="THEIRS", file="afterward/settings.py", line=3),
    ]
