"""The wrong calls of the route /wrong, and what their errors say."""

NAME = "bgscaffold_contract"
NOT_JSON = f"task '{NAME}.show', argument 'values': tuple is not JSON"
MESSAGES = {
    "missing": (
        f"task '{NAME}.note'(line: str) -> None: missing a required argument: 'line'."
    ),
    "unknown": (
        f"task '{NAME}.note'(line: str) -> None: got an unexpected keyword argument"
        " 'lines'."
    ),
    "lambda": "is not a task. Decorate a function at module level",
    "unregistered": "not_a_task at 0x",
    "partial": "is not a task. Decorate a function at module level",
    "called": "None is not a task. Decorate a function at module level",
    "request": f"{NOT_JSON} (Object of type Request is not JSON serializable).",
    "bytes": (
        f"task '{NAME}.show', argument 'named': dict is not JSON (Object of type bytes"
    ),
    "nan": f"{NOT_JSON} (Out of range float values",
    "endless": f"{NOT_JSON} (Circular reference",
    "deep": f"{NOT_JSON} (more than 100 levels deep)",
}
