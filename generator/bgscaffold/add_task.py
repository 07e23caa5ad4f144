"""Adding a task to a project: the function, its test and, if wanted, its route."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.errors import BadTaskName, CannotEdit, FileTaken, NameTaken, NoSchedule, RouteTaken
from bgscaffold.existing import Existing, read
from bgscaffold.insertion import Import, Source, appended, imported, load
from bgscaffold.task_code import (
    NewTask,
    accepted_class,
    route_function,
    router_start,
    task_function,
    task_test,
    tasks_start,
)
from bgscaffold.task_name import TaskName
from bgscaffold.writing import write_all


@dataclass(frozen=True)
class Added:
    """A task that now exists, and the files that were written for it."""

    project: Existing
    task: NewTask
    url: str  # of its route; '' without one
    files: dict[Path, str]  # each "new" or "changed"

    @property
    def tasks_file(self) -> Path:
        """Return the file that the function stands in."""
        return self.project.root / "app" / self.task.name.domain / "tasks.py"


def add(project: Existing, new: NewTask, *, route: bool) -> Added:
    """Write the task, its test and its route, or refuse and change nothing."""
    refuse_what_cannot_be(project, new)
    sources, url = [with_task(project, new)], ""
    if route:
        router, url = with_route(project, new)
        sources.append(router)
    contents = packages(project, new) | {source.path: source.content for source in sources}
    contents[test_file(project, new)] = task_test(new, url).encode()
    files = {path: "changed" if path.exists() else "new" for path in contents}
    write_all({path.resolve(): content for path, content in contents.items()})
    return Added(project, new, url, files)


def refuse_what_cannot_be(project: Existing, new: NewTask) -> None:
    """Refuse a name that clashes with what the project has, and a schedule that it cannot keep."""
    root, domain = project.root, new.name.domain
    for folder in ("app", "tests"):
        if (root / folder / f"{domain}.py").exists():
            raise BadTaskName(str(new.name), f"{folder}/{domain}.py is a module already")
        if not (root / folder / domain).resolve().is_relative_to(root.resolve()):
            raise BadTaskName(str(new.name), f"{folder}/{domain} is a link out of the project")
    if new.cron and "cron" not in project.supports:
        raise NoSchedule(new.cron, "it was made without --with-schedule")
    for file, call in decorators(root, "tasks.py", "router.py"):
        if first_text(call) == str(new.name):
            raise NameTaken(str(new.name), f"{file}, line {call.lineno}")


def with_task(project: Existing, new: NewTask) -> Source:
    """Return the domain's tasks.py with the task at its end."""
    source = opened(project, new.name, "tasks.py", tasks_start(new.name.domain))
    source.refuse_taken(new.name.function)
    source, logging = imported(source, Import("logging"))
    source, decorator = imported(source, Import("app.background", "task"))
    return appended(source, task_function(new, decorator, logging, project.line_length))


def with_route(project: Existing, new: NewTask) -> tuple[Source, str]:
    """Return the domain's router.py with the route at its end, and the URL of the route."""
    source = opened(project, new.name, "router.py", router_start(new.name.domain))
    before = prefix(source)
    path = new.path if before else f"/{new.name.domain.replace('_', '-')}{new.path}"
    refuse_route(project, before + path)
    source.refuse_taken(f"enqueue_{new.name.function}")
    names = {}
    for needed in (Import("app.background", "BackgroundTasksDep"), wanted_function(new)):
        source, names[needed.member] = imported(source, needed)
    source = with_answer(source)
    code = route_function(new, path, names, project.line_length)
    return appended(source, code), (before + path).replace("{item_id}", "7")


def wanted_function(new: NewTask) -> Import:
    """Return the import of the task."""
    return Import(new.name.module, new.name.function)


def with_answer(source: Source) -> Source:
    """Return the router with a class `Accepted`, which it may have or import already."""
    if "Accepted" not in source.bound():
        source, base = imported(source, Import("pydantic", "BaseModel"))
        return appended(source, accepted_class(base))
    classes = [s for s in source.tree.body if isinstance(s, ast.ClassDef) and s.name == "Accepted"]
    if not all("task_id" in map(target_of, own.body) for own in classes):
        raise NameTaken("Accepted", f"{source.path} has one without a task_id")
    return source


def target_of(statement: ast.stmt) -> str:
    """Return the name that a statement gives a value or a type to, '' when it is another kind."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def packages(project: Existing, new: NewTask) -> dict[Path, bytes]:
    """Return the files that make packages of the domain's folders, where they are missing."""
    files = [project.root / top / new.name.domain / "__init__.py" for top in ("app", "tests")]
    return {file: b"" for file in files if not file.exists()}


def test_file(project: Existing, new: NewTask) -> Path:
    """Return where the test goes, or refuse to overwrite what is there."""
    file = project.root / "tests" / new.name.domain / f"test_{new.name.function}.py"
    if file.exists():
        raise FileTaken(str(file))
    return file


def opened(project: Existing, name: TaskName, file: str, start: str) -> Source:
    """Read a file of the domain."""
    path = project.root / "app" / name.domain / file
    own = frozenset(entry.name.removesuffix(".py") for entry in project.root.iterdir())
    return load(path, f"app.{name.domain}", own, project.line_length, start)


def prefix(source: Source) -> str:
    """Return the prefix of a module's router, or refuse one that only a running program knows."""
    for statement in source.tree.body:
        if target_of(statement) == "router" and isinstance(statement, ast.Assign | ast.AnnAssign):
            return prefix_of(statement.value, source.path)
    raise CannotEdit(str(source.path), "it has no router = APIRouter()")


def prefix_of(router: ast.expr | None, path: Path) -> str:
    """Return the prefix that a call of APIRouter gives."""
    keywords = router.keywords if isinstance(router, ast.Call) else []
    for keyword in keywords:
        if keyword.arg == "prefix":
            if (text := text_of(keyword.value)) and "{" not in text:
                return text
            raise CannotEdit(str(path), "the prefix of its router is no plain text")
    return ""


def refuse_route(project: Existing, path: str) -> None:
    """Refuse a path that a router has already, whatever its parameters are called."""
    for file, call in decorators(project.root, "router.py"):
        if anonymous(prefix_in(file) + first_text(call)) == anonymous(path):
            raise RouteTaken(path, f"{file}, line {call.lineno}")


def prefix_in(file: Path) -> str:
    """Return the prefix of another domain's router, '' when only a running program knows it."""
    routers = [s for s in ast.parse(read(file)).body if target_of(s) == "router"]
    with suppress(CannotEdit):
        return "".join(prefix_of(getattr(router, "value", None), file) for router in routers)
    return ""


def anonymous(path: str) -> str:
    """Return a path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def decorators(root: Path, *names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Give each call that decorates a function of the domains, with its file."""
    for file in sorted(file for name in names for file in root.glob(f"app/*/{name}")):
        try:
            tree = ast.parse(read(file))
        except (SyntaxError, ValueError):  # of another domain, whose own start will complain
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from ((file, d) for d in node.decorator_list if isinstance(d, ast.Call))


def first_text(call: ast.Call) -> str:
    """Return the first argument of a call if it is a text, else ''."""
    return text_of(call.args[0]) if call.args else ""


def text_of(expression: ast.expr) -> str:
    """Return the text that an expression is, '' when it is anything else."""
    match expression:
        case ast.Constant(value=str(text)):
            return text
    return ""
