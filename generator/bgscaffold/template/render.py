"""Rendering: the only module that imports Copier, and only when it renders."""

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

Codes = dict[tuple[Any, ...], CodeType]
COMPILED: dict[Path, Codes] = {}  # by template, because each has its own options


def import_copier() -> None:
    """Import Copier, which takes as long as two renders."""
    import copier  # noqa: F401


def render(
    template: Path,
    answers: dict[str, Any],
    destination: Path,
    *,
    version: str,
    source: str = URL,
) -> None:
    """Render a template; record its version and source in the answers file."""
    try:
        run_copier(template, answers, destination)
    except OSError:
        raise
    except Exception as error:
        raise RenderError(type(error).__name__, str(error)) from error
    record_source(destination / ANSWERS_FILE, version, source)


def run_copier(template: Path, answers: dict[str, Any], destination: Path) -> None:
    """Render a template quietly, with defaults for questions without an answer."""
    from copier import Settings, run_copy
    from plumbum import local

    # Without git on its PATH Copier starts no process per file, which halves the time.
    # The settings are empty, or the user's own would replace defaults of the template.
    quiet = warnings.catch_warnings(action="ignore")
    with local.env(PATH=os.devnull), compiled_once(template), quiet:
        run_copy(
            str(template),
            destination,
            data=answers,
            defaults=True,
            quiet=True,
            settings=Settings(),
        )


@contextmanager
def compiled_once(template: Path) -> Iterator[None]:
    """Compile each text of a template once, even if it is rendered twice.

    Copier compiles every part of every path again, 400 times in one render.
    """
    from jinja2 import Environment

    compile_text, from_string = Environment.compile, Environment.from_string
    codes = COMPILED.setdefault(template, {})

    def compile_once(environment: Environment, *text: Any) -> CodeType:
        if text not in codes:
            codes[text] = compile_text(environment, *text)
        return codes[text]

    Environment.compile = compile_once  # type: ignore[method-assign, assignment]
    Environment.from_string = cache(from_string)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Environment.compile = compile_text  # type: ignore[method-assign]
        Environment.from_string = from_string  # type: ignore[method-assign]


def record_source(answers_file: Path, version: str, source: str) -> None:
    """Replace the temporary folder in an answers file by the template's own source."""
    text = answers_file.read_text(encoding="utf-8")
    recorded = {"_commit": version, "_src_path": source}
    lines = yaml.safe_dump(recorded, allow_unicode=True)
    rendered_from = re.compile(r"^_src_path:.*\n(?: .*\n)*", re.MULTILINE)
    text = rendered_from.sub(lambda _: lines, text)
    answers_file.write_bytes(text.encode())
