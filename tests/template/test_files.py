"""Every variant has exactly the files in `files/`, and the CLI renders what Copier does."""

import re
from itertools import product
from pathlib import Path

import pytest

import bgscaffold.template.source
from bgscaffold.__main__ import main
from bgscaffold.layout import URL
from tests import helpers
from tests.template import filelist
from tests.template.conftest import Rendered

# The CI adds one file. So everything else is tested without it.
VARIANTS = [
    *product(helpers.PATTERNS, helpers.CIS, [False], [False]),
    *product(helpers.PATTERNS, ["none"], [True], [False]),
    *product(helpers.PATTERNS, ["none"], [False, True], [True]),
]
each_variant = pytest.mark.parametrize(("pattern", "ci", "schedule", "ai"), VARIANTS)
each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)

# The only files that differ between the patterns.
PATTERN_FILES = {
    ".copier-answers.yml",
    ".env.example",
    ".github/workflows/ci.yml",
    "README.md",
    "app/background.py",
    "compose.yaml",
    "pyproject.toml",
    "tests/maintenance/test_schedule.py",  # who enqueues, and who runs
}


@each_variant
def test_the_files_are_the_listed_ones(
    pattern: str, ci: str, schedule: bool, ai: bool, rendered: Rendered
) -> None:
    found = filelist.paths(rendered(pattern, ci, schedule, ai))
    assert sorted(found) == filelist.expected(pattern, ci, schedule, ai)


# Every answer once.
@pytest.mark.parametrize(
    ("pattern", "ci", "schedule", "ai"),
    [
        ("simple", "github", False, False),
        ("async", "gitlab", True, False),
        ("safe", "none", False, True),
        ("celery", "github", True, True),
    ],
)
def test_the_cli_renders_what_copier_renders(
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
    answers = by_copier[".copier-answers.yml"]
    public = f"_src_path: {URL}".encode()
    by_copier[".copier-answers.yml"] = re.sub(rb"_src_path: .*", public, answers)
    assert helpers.tree(folder) == by_copier
    assert modes(folder) == modes(rendered(pattern, ci, schedule, ai))


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of every file and folder."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mode
        for path in folder.rglob("*")
    }


@each_variant
def test_afterward_has_the_same_bytes_in_every_variant(
    pattern: str,
    ci: str,
    schedule: bool,
    ai: bool,
    rendered: Rendered,
    template_repo: Path,
) -> None:
    package = helpers.tree(template_repo / "template" / "afterward")
    assert helpers.tree(rendered(pattern, ci, schedule, ai) / "afterward") == package
    assert "background.py" in package


@pytest.mark.parametrize("ci", helpers.CIS)
@pytest.mark.parametrize("features", [(False, False), (True, True)])
def test_the_patterns_differ_in_the_listed_files_only(
    ci: str, features: tuple[bool, bool], rendered: Rendered
) -> None:
    trees = [helpers.tree(rendered(each, ci, *features)) for each in helpers.PATTERNS]
    paths = {path for tree in trees for path in tree}
    differing = {path for path in paths if len({tree.get(path) for tree in trees}) > 1}
    assert differing <= PATTERN_FILES | {".gitlab-ci.yml"}
    assert "app/background.py" in differing


@pytest.mark.parametrize("feature", ["schedule", "ai"])
@each_pattern
def test_a_feature_adds_files_and_changes_only_these(
    pattern: str, feature: str, rendered: Rendered
) -> None:
    plain = helpers.tree(rendered(pattern))
    more = helpers.tree(rendered(pattern, **{feature: True}))
    changed = {path for path in plain if more.get(path) != plain[path]}
    image = {"compose.yaml"} if (pattern, feature) == ("celery", "ai") else set()
    assert changed == CHANGED_BY_FEATURES | image


CHANGED_BY_FEATURES = {
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
    for path, content in helpers.tree(rendered(pattern, ci, schedule, ai)).items():
        text = content.decode()
        lines = text.split("\n")
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), path
        assert not [line for line in lines if line != line.rstrip()], path
        assert not re.search(r"\n\n\n\n|\{%|\r", text), path


@each_variant
def test_every_folder_is_in_the_readme_and_every_page_is_linked(
    pattern: str, ci: str, schedule: bool, ai: bool, rendered: Rendered
) -> None:
    project = rendered(pattern, ci, schedule, ai)
    readme = (project / "README.md").read_text()
    folders = {path.name for path in (project / "app").iterdir() if path.is_dir()}
    assert {name for name in folders if f"\n  {name}/ " in readme} == folders
    pages = {path.name for path in (project / "docs").iterdir()} - {"index.md"}
    index = (project / "docs" / "index.md").read_text()
    assert set(re.findall(r"^- \[.*?\]\((.*?)\)", index, re.MULTILINE)) == pages
    linked = re.findall(r"\]\((?!http)(.*?)\)", readme)
    assert [path for path in linked if not (project / path).exists()] == []


@each_pattern
def test_the_paths_in_the_ten_ideas_exist(pattern: str, rendered: Rendered) -> None:
    project = rendered(pattern, ai=True)
    page = (project / "docs" / "ten-ideas.md").read_text()
    named = re.findall(r"`((?:app|afterward|tests)/[\w/.]*)`", page)
    assert len(named) > 10
    assert [path for path in named if not (project / path).exists()] == []
