"""Rendering: the only module that imports Copier, and only when it is called."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import yaml

from bgscaffold.layout import ANSWERS_FILE, URL
from bgscaffold.template.errors import RenderError

COMPILED: dict[
    Path, dict[tuple[Any, ...], CodeType]
] = {}  # by template, for each has its options


def import_copier() -> None:
    """Import Copier, which takes as long as two renders."""
    import copier  # noqa: F401


def render(
    template: Path,
    commit: str,
    answers: dict[str, Any],
    destination: Path,
    source: str = URL,
) -> None:
    """Render an unpacked template, and record where it came from: the public template."""
    from copier import Settings, run_copy
    from plumbum import local

    # Without git on its PATH Copier starts no process per written file, which halves the time.
    # The settings are empty because a user's own would replace defaults of the template.
    quiet = warnings.catch_warnings(action="ignore")
    with local.env(PATH=os.devnull), template_cache(template), quiet:
        try:
            run_copy(
                str(template),
                destination,
                data=answers,
                defaults=True,
                quiet=True,
                settings=Settings(),
            )
        except OSError:
            raise
        except Exception as error:
            raise RenderError(type(error).__name__, str(error)) from error
    record_source(destination / ANSWERS_FILE, commit, source)


@contextmanager
def template_cache(template: Path) -> Iterator[None]:
    """Compile each text of a template once, though it is rendered twice.

    Copier asks again for each part of each path, 400 times over.
    """
    from jinja2 import Environment

    original = Environment.compile, Environment.from_string
    codes = COMPILED.setdefault(template, {})

    def compiled(environment: Environment, *text: Any) -> CodeType:
        if text not in codes:
            codes[text] = original[0](environment, *text)
        return codes[text]

    Environment.compile = compiled  # type: ignore[method-assign, assignment]
    Environment.from_string = cache(original[1])  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Environment.compile, Environment.from_string = original  # type: ignore[method-assign]


def record_source(answers_file: Path, commit: str, source: str) -> None:
    """Replace the folder that was rendered from by the lines Copier writes for its source."""
    text = answers_file.read_text(encoding="utf-8")
    recorded = yaml.safe_dump(
        {"_commit": commit, "_src_path": source}, allow_unicode=True
    )
    pinned = re.sub(
        r"^_src_path:.*\n(?: .*\n)*", lambda _: recorded, text, flags=re.MULTILINE
    )
    answers_file.write_bytes(pinned.encode())
