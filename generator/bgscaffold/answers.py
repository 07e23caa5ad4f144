"""The answers file: what a project was made from."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bgscaffold.evolve_errors import AnswersUnreadable
from bgscaffold.overlays import Overlay
from bgscaffold.patterns import Pattern
from bgscaffold.render import ANSWERS_FILE
from bgscaffold.source import URL


@dataclass(frozen=True)
class Recorded:
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
    def overlays(self) -> list[Overlay]:
        """Return the overlays that it has."""
        return [overlay for overlay in Overlay if self.answers.get(overlay) is True]


def read(folder: Path) -> Recorded:
    """Return what is recorded in a folder's answers file, or refuse it."""
    file = folder / ANSWERS_FILE
    content = parsed(file)
    answers = {key: value for key, value in content.items() if not str(key).startswith("_")}
    commit, source = content.get("_commit"), content.get("_src_path", URL)
    if not isinstance(commit, str) or not commit:
        raise AnswersUnreadable(str(file), "it has no _commit")
    if not isinstance(source, str):
        raise AnswersUnreadable(str(file), "_src_path is not text")
    refuse_no_bool(answers, file)
    return Recorded(folder, commit, source, pattern_of(answers, file), answers)


def parsed(file: Path) -> dict[Any, Any]:
    """Return what an answers file holds."""
    if file.is_symlink():  # which the merge would replace by a file
        raise AnswersUnreadable(str(file), "it is a symbolic link")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise AnswersUnreadable(str(file), str(error).partition("\n")[0]) from error
    if not isinstance(content, dict):
        raise AnswersUnreadable(str(file), "it is no mapping of names to answers")
    return content


def refuse_no_bool(answers: dict[str, Any], file: Path) -> None:
    """Refuse an overlay that is neither there nor not there; Copier would take it for there."""
    for overlay in Overlay:
        if not isinstance(given := answers.get(overlay, False), bool):
            raise AnswersUnreadable(str(file), f"{overlay}: {given!r} is neither true nor false")


def pattern_of(answers: dict[str, Any], file: Path) -> Pattern:
    """Return the recorded pattern, or refuse one that there is not."""
    try:
        return Pattern(answers.get("pattern", "missing"))
    except ValueError as error:
        allowed = ", ".join(Pattern)
        reason = f"pattern: {answers.get('pattern')!r} is none of {allowed}"
        raise AnswersUnreadable(str(file), reason) from error


def refuse_unknown(project: Recorded, template: Path) -> None:
    """Refuse answers to questions that the template, at the recorded commit, does not ask."""
    if unknown := project.answers.keys() - asked(project.answers, template).keys():
        reason = f"it asks no question called {', '.join(sorted(map(str, unknown)))}"
        raise AnswersUnreadable(str(project.folder / ANSWERS_FILE), reason)


def asked(given: dict[str, Any], template: Path) -> dict[str, Any]:
    """Return the answers that a version of the template asks for."""
    asks = questions(template)
    return {name: value for name, value in given.items() if name in asks}


def kept(template: Path) -> list[str]:
    """Return patterns of the paths that Copier writes only where they are missing."""
    return list(questions(template).get("_skip_if_exists", []))


def questions(template: Path) -> dict[str, Any]:
    """Return what a version's copier.yml says."""
    return read_once((template / "copier.yml").read_text(encoding="utf-8"))


@cache  # it is long, and asked for at every step
def read_once(text: str) -> dict[str, Any]:
    """Return what a copier.yml says."""
    content: dict[str, Any] = yaml.safe_load(text)
    return content
