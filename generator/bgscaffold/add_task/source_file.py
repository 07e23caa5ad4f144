"""Adding a function to an existing Python file: nothing else in it changes."""

import ast
import io
import symtable
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.add_task.errors import NameTakenError, UneditableFileError
from bgscaffold.analysis.syntax import PARSE_ERRORS

IMPORT = "from afterward import task"
WRITE_PERMISSION = 0o222
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class SourceFile:
    """A Python file: its text, how the text is stored, and what it says."""

    path: Path
    stored: bytes
    text: str
    encoding: str
    tree: ast.Module
    names: symtable.SymbolTable

    @property
    def newline(self) -> str:
        """Return how its lines end."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def is_taken(self, name: str) -> bool:
        """Return whether the module binds a name, by an import or otherwise."""
        return self.is_imported(name) or self.is_assigned(name)

    def is_imported(self, name: str) -> bool:
        """Return whether the module imports a name."""
        return self._has(name) and self.names.lookup(name).is_imported()

    def is_assigned(self, name: str) -> bool:
        """Return whether the module binds a name otherwise than by an import."""
        return self._has(name) and self.names.lookup(name).is_assigned()

    def _has(self, name: str) -> bool:
        return name in self.names.get_identifiers()


def read_source(path: Path) -> SourceFile:
    """Read a file that can be changed."""
    if not path.is_file():  # a folder, a pipe, a link to nothing
        raise UneditableFileError(str(path), "it is not a regular file")
    if not path.stat().st_mode & WRITE_PERMISSION:
        raise UneditableFileError(str(path), "it is read-only")
    try:
        return parse_source(path, path.read_bytes())
    except PARSE_ERRORS as error:
        raise UneditableFileError(str(path), describe(error)) from error


def parse_source(path: Path, stored: bytes) -> SourceFile:
    """Parse what is stored in a file."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(stored).readline)
    text = stored.decode(encoding)
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(text)
        names = symtable.symtable(text, str(path), "exec")
    return SourceFile(
        path=path,
        stored=stored,
        text=text,
        encoding=encoding,
        tree=tree,
        names=names,
    )


def describe(error: BaseException) -> str:
    """Return what is wrong with a file, with its line if that is known."""
    if isinstance(error, RecursionError | MemoryError):
        return "it is nested too deeply"
    line = getattr(error, "lineno", None)
    message = getattr(error, "msg", None) or str(error)
    return f"line {line}: {message}" if line else message


def task_decorator(source: SourceFile) -> str:
    """Return the name under which a module imports `task`, '' if it does not."""
    for statement in source.tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "afterward":
            for alias in statement.names:
                name = alias.asname or alias.name
                if alias.name == "task" and not source.is_assigned(name):
                    return name
    return ""


def insert_import(source: SourceFile, package: str) -> str:
    """Return the text of a module with the import of `task`."""
    if source.is_taken("task"):
        raise NameTakenError("task", f"{source.path} uses it for something else")
    lines = split_lines(source.text)
    place = import_place(source, package)
    if splits_statement(source.tree, place.line):
        reason = f"line {place.line} has more than one statement"
        raise UneditableFileError(str(source.path), reason)
    inserted = (place.before + IMPORT + place.after).replace("\n", source.newline)
    return "".join([*lines[: place.line], inserted, *lines[place.line :]])


@dataclass(frozen=True)
class ImportPlace:
    """Where an import goes: after which line, and between which line ends."""

    line: int
    before: str
    after: str


def import_place(source: SourceFile, package: str) -> ImportPlace:
    """Return where ruff's sorted imports have the import of `task`."""
    own = (package, "afterward", "tests")
    imports = leading_imports(source.tree)
    for statement in imports:
        line = statement.lineno - 1
        if is_relative(statement):
            return ImportPlace(line, before="", after="\n\n")
        if is_own(statement, own) and sorts_later(statement):
            return ImportPlace(line, before="", after="\n")
    if not imports:
        return place_without_imports(source)
    last = imports[-1]
    section = "" if is_own(last, own) else "\n"
    return ImportPlace(last.end_lineno or 0, before=section, after="\n")


def place_without_imports(source: SourceFile) -> ImportPlace:
    """Return where the first import of a module goes."""
    body = source.tree.body
    if not body:  # there are only comments
        line = len(split_lines(source.text))
        return ImportPlace(line, before="", after="\n")
    first = body[0]
    if ast.get_docstring(source.tree) is not None:
        return ImportPlace(first.end_lineno or 0, before="\n", after="\n")
    blank = "\n\n" if isinstance(first, DEFINITIONS) else "\n"
    return ImportPlace(first_line(first) - 1, before="", after=f"\n{blank}")


def leading_imports(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports at the top of a module."""
    found: list[ast.Import | ast.ImportFrom] = []
    for statement in tree.body[ast.get_docstring(tree) is not None :]:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            break
        found.append(statement)
    return found


def is_own(statement: ast.Import | ast.ImportFrom, packages: tuple[str, ...]) -> bool:
    """Return whether an import is of the project's own packages."""
    if isinstance(statement, ast.ImportFrom):
        module = statement.module or ""
    else:
        module = statement.names[0].name
    return module.partition(".")[0] in packages


def is_relative(statement: ast.Import | ast.ImportFrom) -> bool:
    """Return whether an import is relative. Those come last."""
    return isinstance(statement, ast.ImportFrom) and statement.level > 0


def sorts_later(statement: ast.Import | ast.ImportFrom) -> bool:
    """Return whether an import of the project comes after that of `task`.

    All statements `import x` come before the first `from x import y`.
    """
    if not isinstance(statement, ast.ImportFrom):
        return False
    return (statement.module or "") > "afterward"


def first_line(statement: ast.stmt) -> int:
    """Return the first line of a statement, which may be that of a decorator."""
    if isinstance(statement, DEFINITIONS):
        return min(node.lineno for node in [*statement.decorator_list, statement])
    return statement.lineno


def splits_statement(tree: ast.Module, line: int) -> bool:
    """Return whether a statement begins by a line and ends after it."""
    return any(
        statement.lineno <= line < (statement.end_lineno or 0)
        for statement in tree.body
    )


def append_code(text: str, code: str, newline: str) -> str:
    """Return a text with code at its end, after two empty lines."""
    lines = split_lines(text)
    if not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    empty = 0
    while not lines[-1 - empty].strip():
        empty += 1
    gap = newline * (2 - empty)
    return "".join([*lines, gap, code.replace("\n", newline)])


def split_lines(text: str) -> list[str]:
    """Split a text into lines as Python counts them, each with its end."""
    return io.StringIO(text, newline="").readlines()
