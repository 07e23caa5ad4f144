"""Every variant holds exactly the files in `files/`, and the CLI makes the tree Copier makes."""

import re
import tomllib
from itertools import product
from pathlib import Path

import pytest

import bgscaffold.template.source
from bgscaffold.__main__ import main
from bgscaffold.layout import URL
from bgscaffold.project.spec import DEPENDENCIES
from tests import helpers
from tests.template import filelist
from tests.template.conftest import Rendered

# The CI adds a file, whatever else there is; so the rest is looked at without it.
VARIANTS = [
    *product(helpers.PATTERNS, helpers.CIS, [False], [False]),
    *product(helpers.PATTERNS, ["none"], [True], [False]),
    *product(helpers.PATTERNS, ["none"], [False, True], [True]),
]
each_variant = pytest.mark.parametrize(("pattern", "ci", "schedule", "ai"), VARIANTS)


@each_variant
def test_the_files_are_the_listed_ones(
    pattern: str, ci: str, schedule: bool, ai: bool, rendered: Rendered
) -> None:
    found = filelist.paths(rendered(pattern, ci, schedule, ai))
    assert sorted(found) == filelist.expected(pattern, ci, schedule, ai)


@each_variant
def test_the_cli_makes_what_copier_makes(
    pattern: str,
    ci: str,
    schedule: bool,
    ai: bool,
    rendered: Rendered,
    tmp_path: Path,
    template_repo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: template_repo)
    folder = tmp_path / "shop"
    options = [f"--pattern={pattern}", f"--ci={ci}", "--no-git"]
    options += ["--with-schedule"] * schedule + ["--with-ai"] * ai
    monkeypatch.setattr("sys.argv", ["bgscaffold", "new", str(folder), *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    by_copier = helpers.tree(rendered(pattern, ci, schedule, ai))
    local, public = (f"_src_path: {source}\n".encode() for source in (template_repo, URL))
    answers = by_copier[".copier-answers.yml"]
    assert answers.count(local) == 1
    by_copier[".copier-answers.yml"] = answers.replace(local, public)
    assert helpers.tree(folder) == by_copier
    assert modes(folder) == modes(rendered(pattern, ci, schedule, ai))


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of every file and folder."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mode for path in folder.rglob("*")}


SAME = [
    "app/__init__.py",
    "app/main.py",
    "app/settings.py",
    "app/domains.py",
    "app/database.py",
    "app/migrations/",
    "app/background/__init__.py",
    "app/background/task.py",
    "app/actions/",
    "app/signup/",
    "app/documents/",
    "app/chat/",
    "app/page/",
    "tests/actions/",
    "tests/signup/",
    "tests/background/contract/",
    "tests/background/test_contract.py",
]


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("path", SAME)
def test_the_same_bytes_in_all_four_patterns(path: str, schedule: bool, rendered: Rendered) -> None:
    projects = (rendered(pattern, "none", schedule, True) for pattern in helpers.PATTERNS)
    first, *others = (same_files(project, path) for project in projects)
    assert first
    assert others == [first, first, first]


SAME_WITH_A_SCHEDULE = [
    "app/background/cron.py",
    "app/background/periods.py",
    "app/cleaning/",
    "tests/background/scheduled/",
    "tests/background/test_schedule.py",
    "tests/cleaning/",
]


@pytest.mark.parametrize("path", SAME_WITH_A_SCHEDULE)
def test_schedules_are_the_same_bytes_in_all_four_patterns(path: str, rendered: Rendered) -> None:
    first, *others = (
        same_files(rendered(pattern, "none", True), path) for pattern in helpers.PATTERNS
    )
    assert first
    assert others == [first, first, first]


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_schedule_changes_nothing_in_the_users_rooms(pattern: str, rendered: Rendered) -> None:
    plain, scheduled = (helpers.tree(rendered(pattern, "none", on)) for on in (False, True))
    kept = [path for path in plain if path.startswith("app/") and "/background/" not in path]
    assert len(kept) > len(SAME)
    assert {path: scheduled[path] for path in kept} == {path: plain[path] for path in kept}


def same_files(project: Path, path: str) -> dict[str, bytes]:
    """Return the files that a path of the list above stands for."""
    return {
        name: content
        for name, content in helpers.tree(project).items()
        if name == path or (path.endswith("/") and name.startswith(path))
    }


def test_only_the_room_and_its_neighbours_vary(rendered: Rendered) -> None:
    trees = [helpers.tree(rendered(pattern, "none", True)) for pattern in helpers.PATTERNS]
    every = {name for tree in trees for name in tree}
    varying = {name for name in every if len({tree.get(name) for tree in trees}) > 1}
    assert not [name for name in varying if name.startswith("app/") and "/background/" not in name]


def test_the_docs_name_all_that_differs_between_the_patterns(rendered: Rendered) -> None:
    page = (helpers.ROOT / "docs/patterns.md").read_text(encoding="utf-8")
    table = page.partition("What differs:\n")[2]
    listed = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    trees = [helpers.tree(rendered(each, "none", True, True)) for each in helpers.PATTERNS]
    every = {name for tree in trees for name in tree}
    varying = {name for name in every if len({tree.get(name) for tree in trees}) > 1}
    assert {place_of(name, listed) for name in varying} == set(listed)


def place_of(name: str, listed: list[str]) -> str:
    """Return the path of a list that a file is, or lies in; its own name if there is none."""
    places = (
        path for path in listed if name == path or (path[-1] == "/" and name.startswith(path))
    )
    return next(places, name)


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_with_ai_files_are_added_and_only_these_are_changed(
    pattern: str, rendered: Rendered
) -> None:
    plain, more = (helpers.tree(rendered(pattern, "none", False, ai)) for ai in (False, True))
    compose = {"compose.yaml"} & ({"celery": plain}.get(pattern, {})).keys()
    assert {name for name in plain if more[name] != plain[name]} == CHANGED_BY_AI | compose


CHANGED_BY_AI = {
    ".copier-answers.yml",
    ".env.example",
    "README.md",
    "docs/index.md",
    "pyproject.toml",
}


@each_variant
def test_rendered_text_is_clean(
    pattern: str, ci: str, schedule: bool, ai: bool, rendered: Rendered
) -> None:
    for name, content in helpers.tree(rendered(pattern, ci, schedule, ai)).items():
        text = content.decode()
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), name
        assert not [line for line in text.split("\n") if line != line.rstrip()], name
        assert "\n\n\n\n" not in text, name
        assert "{%" not in text, name
        assert "\r" not in text, name


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_project_cannot_be_named_after_its_dependencies(pattern: str, rendered: Rendered) -> None:
    project = tomllib.loads((rendered(pattern, "none", True) / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    needed = {re.split(r"[^\w.-]", line)[0] for group in groups for line in group}
    assert "fastapi" in needed
    assert needed <= set(DEPENDENCIES.split())
    validator = re.findall(r"[\w-]+", helpers.questions()["project_name"]["validator"])
    assert set(DEPENDENCIES.split()) <= set(validator)
