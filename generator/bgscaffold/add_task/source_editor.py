"""Adding to a Python file without changing a character of what stands there.

Nothing is rewritten: text is only put in between. That this went well is proven on the result, by
its syntax tree and by its characters; what cannot be proven is refused.
"""

import ast
import io
import os
import re
import symtable
import sys
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

from bgscaffold.add_task.errors import NameTakenError, UneditableFileError
from bgscaffold.analysis.syntax import source_of

DEFAULT_WIDTH = 88  # columns: the line length of ruff's own, under which imports are to be sorted too


@dataclass(frozen=True)
class Import:
    """A name that added code needs: a member of a module, or the module itself."""

    module: str
    member: str = ""

    def __str__(self) -> str:
        return (
            f"from {self.module} import {self.member}"
            if self.member
            else f"import {self.module}"
        )

    @property
    def target(self) -> str:
        """Return the full dotted name."""
        return f"{self.module}.{self.member}" if self.member else self.module

    @property
    def local(self) -> str:
        """Return the name that the import statement binds."""
        return self.member or self.module


@dataclass(frozen=True)
class Source:
    """The text of a Python file, how it is stored, and how long its lines may be."""

    path: Path
    text: str
    package: str  # what relative imports are relative to
    own: frozenset[str] = frozenset()  # the top-level packages of the project itself
    encoding: str = "utf-8"
    width: int = DEFAULT_WIDTH
    stored: bytes | None = None  # what was read; None when there was no file
    tree: ast.Module = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", parse_module(self.text, self.path))

    @property
    def newline(self) -> str:
        """Return how its lines end."""
        return (
            "\r\n"
            if split_lines(self.text)[:1] and split_lines(self.text)[0].endswith("\r\n")
            else "\n"
        )

    @property
    def content(self) -> bytes:
        """Return the bytes to store."""
        return self.text.encode(self.encoding)

    def changed(self, text: str) -> "Source":
        """Return it with another text, once it is proven that nothing was lost."""
        after = replace(self, text=text)
        if not (
            preserves_characters(self.text, text)
            and preserves_statements(self.tree, after.tree)
        ):
            raise UneditableFileError(
                str(self.path), "its lines are laid out in a way that is not foreseen"
            )
        return after

    def bound(self) -> set[str]:
        """Return every name that the module binds."""
        symbols = symtable.symtable(self.text, str(self.path), "exec").get_symbols()
        return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}

    def refuse_taken(self, *names: str) -> None:
        """Refuse names that the module binds already."""
        for name in sorted(self.bound().intersection(names)):
            raise NameTakenError(name, f"{self.path} has it already")


def load_source(
    path: Path,
    package: str,
    own: frozenset[str] = frozenset(),
    width: int = DEFAULT_WIDTH,
    start: str = "",
) -> Source:
    """Read a file as Python does; what is missing or empty begins with `start`."""
    try:
        stored = read_file(path)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(stored or b"").readline)
        text = (stored or b"").decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise UneditableFileError(str(path), str(error)) from error
    except OSError as error:
        raise UneditableFileError(str(path), error.strerror or "") from error
    text = text if text.strip() else start
    return Source(path, text, package, own, encoding, min(width, DEFAULT_WIDTH), stored)


def read_file(path: Path) -> bytes | None:
    """Return what a file holds, None when there is none; never wait for what is no file."""
    if not os.path.lexists(path):
        return None
    if path.exists() and not path.is_file():
        raise UneditableFileError(str(path), "it is no file")
    content = path.read_bytes()
    if not path.stat().st_mode & 0o222:
        raise UneditableFileError(str(path), "it is read-only")
    return content


def parse_module(text: str, path: Path) -> ast.Module:
    """Compile a module, or refuse it with the line that is wrong."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(text, str(path), "exec", dont_inherit=True)
            return ast.parse(text)
    except (
        SyntaxError,
        ValueError,
    ) as error:  # for a null byte, older ones raise the second
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        raise UneditableFileError(
            str(path), where + getattr(error, "msg", str(error))
        ) from error
    except (RecursionError, MemoryError) as error:
        raise UneditableFileError(
            str(path), "it is too deeply nested for Python"
        ) from error


def split_lines(text: str) -> list[str]:
    """Split a text into lines as Python counts them, each with its end."""
    return io.StringIO(text, newline="").readlines()


def preserves_characters(before: str, after: str) -> bool:
    """Tell whether all characters are still there, in their order."""
    remaining = iter(after)
    return all(character in remaining for character in before)


def preserves_statements(before: ast.Module, after: ast.Module) -> bool:
    """Tell whether all statements are still there, in their order; imports may have gained names."""
    remaining = iter(after.body)
    return ast.get_docstring(before) in (None, ast.get_docstring(after)) and all(
        any(is_preserved(statement, candidate) for candidate in remaining)
        for statement in before.body
    )


def is_preserved(before: ast.stmt, after: ast.stmt) -> bool:
    """Tell whether a statement is the same, or the same import with more names."""
    if isinstance(before, ast.ImportFrom) and isinstance(after, ast.ImportFrom):
        old, new = (
            {(a.name, a.asname) for a in each.names} for each in (before, after)
        )
        return (before.module, before.level) == (
            after.module,
            after.level,
        ) and old <= new
    return tree_shape(before) == tree_shape(after)


def tree_shape(tree: ast.AST) -> list[object]:
    """Return what tells one tree from another; `ast.dump` fails where many terms are added up."""
    return [fact for node in ast.walk(tree) for fact in (type(node), *node_facts(node))]


def node_facts(node: ast.AST) -> Iterator[object]:
    """Yield what a node holds: of nodes, which are walked to as well, only that there are some."""
    for name, value in ast.iter_fields(node):
        each = value if isinstance(value, list) else [value]
        yield (
            name,
            len(each),
            [None if isinstance(v, ast.AST) else (type(v), v) for v in each],
        )


# ---- Names ---------------------------------------------------------------------------------------


def add_import(source: Source, wanted: Import) -> tuple[Source, str]:
    """Return the source with this import, and the expression by which code then calls it."""
    for local, origin in imported_names(source):
        if origin in (wanted.target, wanted.module):
            require_not_reassigned(source, local.split(".")[0])
            return source, local + wanted.target.removeprefix(origin)
    source.refuse_taken(wanted.local)
    return insert_import(source, wanted), wanted.local


def imported_names(source: Source) -> Iterator[tuple[str, str]]:
    """Give what the module's own imports call things, and what these are in full."""
    for statement in source.tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield from (
                    [(alias.asname, alias.name)]
                    if alias.asname
                    else parent_packages(alias.name)
                )
        elif isinstance(statement, ast.ImportFrom):
            module = source_module(statement, source.package)
            yield from (
                (a.asname or a.name, f"{module}.{a.name}") for a in statement.names
            )


def parent_packages(module: str) -> Iterator[tuple[str, str]]:
    """Give a module and the packages around it, all of which its plain import has made known."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    yield from ((name, name) for name in names)


def resolve_name(source: Source, expression: ast.expr) -> str:
    """Return the full name of what an expression means, '' when the module does not import it."""
    written = source_of(expression)
    for local, origin in imported_names(source):
        if written == local or written.startswith(f"{local}."):
            return origin + written.removeprefix(local)
    return ""


def source_module(statement: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module that a statement imports from."""
    if not statement.level:
        return statement.module or ""
    above = package.split(".")[: len(package.split(".")) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])


def require_not_reassigned(source: Source, name: str) -> None:
    """Refuse an imported name that the module also gives to something else."""
    symbol = symtable.symtable(source.text, str(source.path), "exec").lookup(name)
    if symbol.is_assigned():
        raise NameTakenError(name, f"{source.path} imports it, and assigns it too")


# ---- Imports -------------------------------------------------------------------------------------


def insert_import(source: Source, wanted: Import) -> Source:
    """Add an import where sorted imports have it."""
    for statement in source.tree.body:
        if wanted.member and is_plain_import_from(statement, wanted.module):
            return source.changed(add_name_to_import(source, statement, wanted.member))
    return source.changed(insert_import_statement(source, wanted))


def is_plain_import_from(statement: ast.stmt, module: str) -> TypeGuard[ast.ImportFrom]:
    """Tell whether a statement imports plain members of a module, to which another can be added."""
    if not isinstance(statement, ast.ImportFrom) or statement.level:
        return False
    plain = all(alias.asname is None and alias.name != "*" for alias in statement.names)
    return statement.module == module and plain


def add_name_to_import(source: Source, statement: ast.ImportFrom, member: str) -> str:
    """Put a member between those that a statement imports."""
    later = next(
        (
            a
            for a in statement.names
            if member_sort_key(a.name) > member_sort_key(member)
        ),
        None,
    )
    near = later or statement.names[-1]
    all_lines = split_lines(source.text)
    line = all_lines[near.lineno - 1]
    indent = text_before(line, near.col_offset)
    gap = ", " if indent.strip() else f",{source.newline}{indent}"
    at = len(indent if later else text_before(line, near.end_col_offset or 0))
    added = f"{member}{gap}" if later else f"{gap}{member}"
    all_lines[near.lineno - 1] = wrap_import(f"{line[:at]}{added}{line[at:]}", source)
    return "".join(all_lines)


def wrap_import(line: str, source: Source) -> str:
    """Return a line or, when it is a whole import that is too long, one line for each name."""
    found = re.fullmatch(r"(from [\w.]+ import )([\w, ]+)", line.rstrip("\r\n"))
    if found is None or len(found[0]) <= source.width:
        return line
    members = [f"    {name}," for name in found[2].split(", ")]
    return source.newline.join([f"{found[1]}(", *members, ")", ""])


def text_before(line: str, column: int) -> str:
    """Return what stands before a column, which Python counts in bytes."""
    return line.encode()[:column].decode()


def member_sort_key(member: str) -> tuple[int, list[int | str]]:
    """Return where a member stands among sorted ones: constants, classes, then all else."""
    kind = (
        0 if member.isupper() and len(member) > 1 else 1 if member[:1].isupper() else 2
    )
    return kind, natural_sort_key(member)


def natural_sort_key(name: str) -> list[int | str]:
    """Return a key that sorts numbers within names by what they count."""
    return [
        int(part) if part.isdecimal() else part
        for part in re.split(r"(\d+)", name.lower())
    ]


def insert_import_statement(source: Source, wanted: Import) -> str:
    """Put a new import statement between the others, or at the top when there are none."""
    block = import_block(source.tree)
    new = ast.parse(str(wanted)).body[0]
    index = sum(
        import_sort_key(each, source.own) < import_sort_key(new, source.own)
        for each in block
    )
    text = wrap_import(f"{wanted}{source.newline}", source)
    if not block:
        return insert_first_import(source, text)
    if index and import_section(block[index - 1], source.own) == import_section(
        new, source.own
    ):
        return insert_lines(source, block[index - 1].end_lineno or 0, text)
    if index < len(block) and import_section(
        block[index], source.own
    ) == import_section(new, source.own):
        return insert_lines(source, line_above(source, block[index]), text)
    if index:
        return insert_lines(
            source, block[index - 1].end_lineno or 0, source.newline + text
        )
    return insert_lines(source, line_above(source, block[0]), text + source.newline)


def import_block(tree: ast.Module) -> list[ast.stmt]:
    """Return the imports that a module begins with."""
    block: list[ast.stmt] = []
    for statement in tree.body[ast.get_docstring(tree) is not None :]:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            break
        block.append(statement)
    return block


def import_sort_key(statement: ast.stmt, own: frozenset[str]) -> tuple[object, ...]:
    """Return where an import stands among sorted ones."""
    is_from = isinstance(statement, ast.ImportFrom)
    first = (
        member_sort_key(statement.names[0].name)
        if isinstance(statement, ast.ImportFrom)
        else ()
    )
    return (
        import_section(statement, own),
        is_from,
        natural_sort_key(imported_module(statement)),
        first,
    )


def import_section(statement: ast.stmt, own: frozenset[str]) -> int:
    """Return the section of an import: future, Python's own, others', the project's, relative."""
    if isinstance(statement, ast.ImportFrom) and statement.level:
        return 4
    top = imported_module(statement).split(".")[0]
    if top == "__future__":
        return 0
    return 3 if top in own else 1 if top in sys.stdlib_module_names else 2


def imported_module(statement: ast.stmt) -> str:
    """Return the module that an import statement names, or the first of them."""
    if isinstance(statement, ast.ImportFrom):
        return "." * statement.level + (statement.module or "")
    assert isinstance(statement, ast.Import)
    return statement.names[0].name


def line_above(source: Source, statement: ast.stmt) -> int:
    """Return the number of lines before an import and the comments that belong to it."""
    at = statement.lineno - 1
    # Without a docstring, the comment over the first import may well be the file's own.
    if ast.get_docstring(source.tree) is None and statement is source.tree.body[0]:
        return at
    all_lines = split_lines(source.text)
    while at and all_lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def insert_first_import(source: Source, text: str) -> str:
    """Put the only import of a module under its docstring and the comments at its head."""
    all_lines, body = split_lines(source.text), source.tree.body
    documented = ast.get_docstring(source.tree) is not None
    at = (body[0].end_lineno or 0) if documented else leading_comment_lines(all_lines)
    rest = all_lines[at:]
    blank = next((n for n, line in enumerate(rest) if line.strip()), len(rest))
    code = body[documented:]
    wanted = 0 if not code else 2 if is_definition(code[0]) else 1
    gap = [source.newline] if at and not blank else []
    missing = wanted - max(0, blank - 1)
    kept = at + min(blank, 1)
    return "".join(
        [
            *ensure_newline(all_lines[:kept], source),
            *gap,
            text,
            *[source.newline] * missing,
            *all_lines[kept:],
        ]
    )


def leading_comment_lines(all_lines: list[str]) -> int:
    """Return how many lines of comments a file begins with."""
    comments = (n for n, line in enumerate(all_lines) if not line.startswith("#"))
    return next(comments, len(all_lines))


def is_definition(statement: ast.stmt) -> bool:
    """Tell whether two empty lines belong before a statement."""
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def insert_lines(source: Source, after: int, text: str) -> str:
    """Put text after so many lines."""
    all_lines = split_lines(source.text)
    return "".join(
        [*ensure_newline(all_lines[:after], source), text, *all_lines[after:]]
    )


def ensure_newline(some: list[str], source: Source) -> list[str]:
    """Return lines of which the last has an end."""
    if not some or some[-1].endswith(("\n", "\r")):
        return some
    return [*some[:-1], some[-1] + source.newline]


# ---- Code ----------------------------------------------------------------------------------------


def append_code(source: Source, code: str) -> Source:
    """Add a definition at the end, two empty lines below the rest."""
    all_lines = ensure_newline(split_lines(source.text), source)
    empty = next((n for n, line in enumerate(reversed(all_lines)) if line.strip()), 0)
    gap = [source.newline] * (2 - empty)
    return source.changed(
        "".join([*all_lines, *gap, code.replace("\n", source.newline)])
    )
