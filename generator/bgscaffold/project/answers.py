"""The answers file: what a project was made from."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bgscaffold.features import Feature
from bgscaffold.layout import ANSWERS_FILE, URL
from bgscaffold.patterns import Pattern
from bgscaffold.project.errors import AnswersError


@dataclass(frozen=True)
class RecordedProject:
    """A project that exists: its folder, and what its answers file says."""

    folder: Path
    commit: str
    source: str
    pattern: Pattern
    answers: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name that was given to the project."""
        return str(self.answers.get("project_name", self.folder.name))

    @property
    def overlays(self) -> list[Feature]:
        """Return the overlays that it has."""
        return [overlay for overlay in Feature if self.answers.get(overlay) is True]


def read_answers(folder: Path) -> RecordedProject:
    """Return what is recorded in a folder's answers file, or refuse it."""
    file = folder / ANSWERS_FILE
    content = parse_answers_file(file)
    answers = {
        key: value for key, value in content.items() if not str(key).startswith("_")
    }
    commit, source = content.get("_commit"), content.get("_src_path", URL)
    if not isinstance(commit, str) or not commit:
        raise AnswersError(str(file), "it has no _commit")
    if not isinstance(source, str):
        raise AnswersError(str(file), "_src_path is not text")
    require_boolean_features(answers, file)
    return RecordedProject(
        folder, commit, source, recorded_pattern(answers, file), answers
    )


def parse_answers_file(file: Path) -> dict[Any, Any]:
    """Return what an answers file holds."""
    if file.is_symlink():  # which the merge would replace by a file
        raise AnswersError(str(file), "it is a symbolic link")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise AnswersError(str(file), str(error).partition("\n")[0]) from error
    if not isinstance(content, dict):
        raise AnswersError(str(file), "it is no mapping of names to answers")
    return content


def require_boolean_features(answers: dict[str, Any], file: Path) -> None:
    """Refuse an overlay that is neither there nor not there; Copier would take it for there."""
    for overlay in Feature:
        if not isinstance(given := answers.get(overlay, False), bool):
            raise AnswersError(
                str(file), f"{overlay}: {given!r} is neither true nor false"
            )


def recorded_pattern(answers: dict[str, Any], file: Path) -> Pattern:
    """Return the recorded pattern, or refuse one that there is not."""
    try:
        return Pattern(answers.get("pattern", "missing"))
    except ValueError as error:
        allowed = ", ".join(Pattern)
        reason = f"pattern: {answers.get('pattern')!r} is none of {allowed}"
        raise AnswersError(str(file), reason) from error


def require_known_answers(project: RecordedProject, template: Path) -> None:
    """Refuse answers to questions that the template, at the recorded commit, does not ask."""
    if (
        unknown := project.answers.keys()
        - answers_known_to(project.answers, template).keys()
    ):
        reason = f"it asks no question called {', '.join(sorted(map(str, unknown)))}"
        raise AnswersError(str(project.folder / ANSWERS_FILE), reason)


def answers_known_to(given: dict[str, Any], template: Path) -> dict[str, Any]:
    """Return the answers that a version of the template asks for."""
    asks = questions(template)
    return {name: value for name, value in given.items() if name in asks}


def skip_if_exists_patterns(template: Path) -> list[str]:
    """Return patterns of the paths that Copier writes only where they are missing."""
    return list(questions(template).get("_skip_if_exists", []))


def questions(template: Path) -> dict[str, Any]:
    """Return what a version's copier.yml says."""
    return parse_questions((template / "copier.yml").read_text(encoding="utf-8"))


@cache  # it is long, and asked for at every step
def parse_questions(text: str) -> dict[str, Any]:
    """Return what a copier.yml says."""
    content: dict[str, Any] = yaml.safe_load(text)
    return content
