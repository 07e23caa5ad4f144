"""Random walks over the ladder, with random edits on the way: no line of the user's is ever lost.

CI takes a few walks, always the same ones. To take many, and others:

    WALKS=500 SEED=1000 pytest tests/generator/test_walks.py -s
"""

import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import bgscaffold.upgrade.command
import bgscaffold.upgrade.workspace
from bgscaffold.patterns import Pattern
from bgscaffold.project.project import Project
from bgscaffold.upgrade.command import promote
from bgscaffold.upgrade.merge import Change
from bgscaffold.upgrade.output import CONFLICT_HELP
from bgscaffold.upgrade.report import UpgradeReport
from bgscaffold.upgrade.target import UpgradeTarget
from bgscaffold.upgrade.workspace import Renders
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine

pytestmark = pytest.mark.usefixtures("small_template")

WALKS = int(os.environ.get("WALKS", "12"))
SEED = int(os.environ.get("SEED", "1"))
STEPS = 6
OPTIONS = [(), ("--with-schedule",), ("--with-ai",), ("--with-schedule", "--with-ai")]
MARKER = re.compile(r"^(<<<<<<< |=======$|>>>>>>> |\|\|\|\|\|\|\| )")


@pytest.fixture
def renders(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take renders from projects that were made once, so that a step is only the merge."""

    def taken(project: Project, target: UpgradeTarget, workspace: Path) -> Renders:
        answers = project.answers.values
        names = [name for name in ("schedule", "ai") if answers[name]]
        options = tuple(f"--with-{name}" for name in names)
        return Renders(
            old=rendered(project.pattern, options, workspace / "old"),
            new=rendered(target.pattern, options, workspace / "new"),
            skip_if_exists=[".env"],
        )

    monkeypatch.setattr(bgscaffold.upgrade.command, "render_both", taken)
    monkeypatch.setattr(bgscaffold.upgrade.workspace, "clone", lambda _: None)


def rendered(pattern: str, options: tuple[str, ...], to: Path) -> Path:
    """Copy what a pattern renders to."""
    unwanted = shutil.ignore_patterns(".git")
    return shutil.copytree(
        upgrading.original(pattern, *options), to / "shop", ignore=unwanted
    )


@dataclass
class Walker:
    """A user who edits at random, and remembers the lines and their files."""

    project: Path
    random: random.Random
    lines: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)

    def files(self) -> list[str]:
        """Return the files that the user may edit, in a fixed order."""
        return sorted(
            path for path in helpers.tree(self.project) if path != ".copier-answers.yml"
        )

    def edit(self) -> None:
        """Insert a line somewhere, or put it in the place of one of the template's."""
        path = self.random.choice(self.files())
        text = (self.project / path).read_text().splitlines(keepends=True)
        line = f"# line {len(self.lines)} of the user\n"
        at = self.random.randrange(len(text) + 1)
        own = at < len(text) and text[at].strip() in self.lines
        text[at : at + (self.random.random() < 0.4 and not own)] = [line]
        (self.project / path).write_text("".join(text))
        self.lines[line.strip()] = path
        self.steps.append(f"edit {path}:{at}")

    def add(self) -> None:
        """Add a file of the user, sometimes with the name of one of another pattern."""
        others = [
            path
            for name in helpers.PATTERNS
            for path in helpers.tree(upgrading.original(name))
        ]
        free = [
            path for path in sorted(set(others)) if not (self.project / path).exists()
        ]
        path = self.random.choice([*free, f"app/own{len(self.lines)}/tasks.py"])
        line = f"# line {len(self.lines)} of the user"
        (self.project / path).parent.mkdir(parents=True, exist_ok=True)
        (self.project / path).write_text(f"{line}\n")
        self.lines[line] = path
        self.steps.append(f"add {path}")

    def delete(self) -> None:
        """Delete a file, and with it the lines in it."""
        path = self.random.choice(self.files())
        (self.project / path).unlink()
        self.lines = {
            line: where for line, where in self.lines.items() if where != path
        }
        self.steps.append(f"delete {path}")

    def rename(self) -> None:
        """Rename a file."""
        path = self.random.choice(self.files())
        self.move(path, f"{path}.{len(self.steps)}")

    def rename_folder(self) -> None:
        """Rename a folder."""
        folders = sorted({str(Path(path).parent) for path in self.files()} - {"."})
        folder = self.random.choice(folders)
        self.move(folder, f"{folder}_{len(self.steps)}")

    def move(self, old: str, new: str) -> None:
        """Move a path, and note where its lines are now."""
        (self.project / old).rename(self.project / new)
        for line, where in self.lines.items():
            if where == old or where.startswith(f"{old}/"):
                self.lines[line] = new + where[len(old) :]
        self.steps.append(f"rename {old} to {new}")

    def commit(self) -> None:
        """Commit everything."""
        upgrading.commit(self.project)

    def edit_at_random(self) -> None:
        """Do some of this, mostly editing."""
        acts = (self.edit, self.add, self.delete, self.rename, self.rename_folder)
        for act in self.random.choices(
            acts, weights=(8, 2, 1, 1, 0.5), k=self.random.randint(0, 4)
        ):
            act()
        helpers.git("add", "--all", cwd=self.project)
        helpers.git(
            "commit", "--quiet", "--allow-empty", "--message=mine", cwd=self.project
        )

    def promote(self, pattern: Pattern) -> UpgradeReport:
        """Promote as previewed; sometimes try first that it can be undone."""
        whole, before = helpers.tree(self.project), upgrading.state(self.project)
        preview = promote(str(self.project), pattern, dry_run=True)
        assert upgrading.state(self.project) == before
        if self.random.random() < 0.3:
            promote(str(self.project), pattern)
            helpers.git("reset", "--quiet", "--hard", cwd=self.project)
            assert helpers.tree(self.project) == whole
            assert upgrading.status(self.project) == ""
        done = promote(str(self.project), pattern)
        assert replace(done, dry_run=True) == preview
        assert changes_in(self.project) == done.changes
        assert conflicts_in(self.project) == done.conflicts
        self.steps.append(f"promote {pattern}")
        return done

    def resolve(self, done: UpgradeReport) -> None:
        """Resolve every conflict by keeping both sides."""
        for path in done.conflicts:
            file = self.project / path
            if file.exists():
                text = file.read_text().splitlines(keepends=True)
                file.write_text(
                    "".join(line for line in text if not MARKER.match(line))
                )
        helpers.git("add", "--all", cwd=self.project)
        helpers.git("commit", "--quiet", "--allow-empty", "--no-edit", cwd=self.project)

    def lost(self) -> list[str]:
        """Return the lines that stand nowhere any more, in the index neither."""
        there = {
            line.strip()
            for content in helpers.tree(self.project).values()
            for line in content.decode().splitlines()
        }
        return sorted(self.lines.keys() - there)

    def note_where_lines_are(self) -> None:
        """Note where the lines are, as a merge may follow a renamed folder."""
        for path, content in helpers.tree(self.project).items():
            for line in content.decode().splitlines():
                if line.strip() in self.lines:
                    self.lines[line.strip()] = path


def changes_in(project: Path) -> list[Change]:
    """Return what git says has changed since the last commit."""
    options = ("--no-renames", "HEAD")
    status = helpers.git("diff", "--name-status", *options, cwd=project).splitlines()
    kinds = {path: kind for kind, path in (line.split("\t") for line in status)}
    verbs = {"A": "created", "D": "deleted"}
    changes = []
    for line in helpers.git("diff", "--numstat", *options, cwd=project).splitlines():
        added, removed, path = line.split("\t")
        kind = verbs.get(kinds[path], "changed")
        changes.append(Change(path, kind, int(added), int(removed)))
    return sorted(changes, key=lambda change: change.path)


def conflicts_in(project: Path) -> dict[str, str]:
    """Return the conflicts that `git status` shows, with their kinds."""
    lines = helpers.git("status", "--porcelain", cwd=project).splitlines()
    kinds = {line[3:].strip('"'): line[:2] for line in lines}
    return {path: kind for path, kind in kinds.items() if kind in CONFLICT_HELP}


def steps(walker: Walker) -> Iterator[Pattern]:
    """Yield patterns to promote to, never the one that a project has."""
    pattern = Pattern.SIMPLE
    for _ in range(STEPS):
        pattern = walker.random.choice(
            [each for each in Pattern if each is not pattern]
        )
        yield pattern


@pytest.mark.parametrize("seed", range(SEED, SEED + WALKS))
@pytest.mark.usefixtures("renders")
def test_no_line_is_ever_lost(seed: int, machine: Machine) -> None:
    project = upgrading.copy(
        "simple", machine.here / "shop", *OPTIONS[seed % len(OPTIONS)]
    )
    walker = Walker(project, random.Random(seed))
    for pattern in steps(walker):
        walker.edit_at_random()
        done = walker.promote(pattern)
        assert walker.lost() == [], walker.steps
        assert f"pattern: {pattern}\n" in (project / ".copier-answers.yml").read_text()
        walker.resolve(done)
        assert walker.lost() == [], walker.steps
        assert upgrading.status(project) == ""
        walker.note_where_lines_are()
    print(f"seed {seed}: {len(walker.lines)} lines, 0 lost")


@pytest.mark.usefixtures("renders")
def test_a_walk_notices_what_is_lost(machine: Machine) -> None:
    walker = Walker(upgrading.copy("simple", machine.here / "shop"), random.Random(1))
    walker.edit()
    [path] = walker.lines.values()
    (walker.project / path).unlink()
    assert walker.lost() == ["# line 0 of the user"]


@pytest.mark.usefixtures("renders")
def test_there_and_back_is_where_it_began(machine: Machine) -> None:
    walker = Walker(upgrading.copy("simple", machine.here / "shop"), random.Random(1))
    (walker.project / "app/signup/tasks.py").write_text("# mine\n")
    walker.commit()
    before = helpers.tree(walker.project)
    for pattern in (Pattern.CELERY, Pattern.ASYNC, Pattern.SAFE, Pattern.SIMPLE):
        walker.resolve(walker.promote(pattern))
    assert helpers.tree(walker.project) == before
