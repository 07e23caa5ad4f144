"""Error handlers. The bodies are FastAPI's own: {"detail": ...}."""

import logging
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from afterward.errors import EnqueueError
from afterward.settings import get_settings

Handler = Callable[[Request, Exception], JSONResponse]
log = logging.getLogger(__name__)


def install(app: FastAPI, *, with_database: bool) -> None:
    """Add error handlers for what the application does not handle itself."""
    handlers: dict[type[Exception], Handler] = {EnqueueError: handle_enqueue_error}
    handlers[RequestValidationError] = handle_validation_error
    if with_database:
        from sqlalchemy import exc

        handlers[exc.OperationalError] = handle_database_error
        handlers[exc.TimeoutError] = handle_database_error
    for error_type, handler in handlers.items():
        present = app.exception_handlers.get(error_type)
        if present in (None, request_validation_exception_handler):  # FastAPI's own
            app.add_exception_handler(error_type, handler)


def handle_validation_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer 422 like FastAPI, and leave out an input that is not valid JSON.

    JSON readers accept NaN and half characters, which JSON writers refuse.
    """
    assert isinstance(error, RequestValidationError)
    errors = jsonable_encoder(error.errors())
    try:
        return JSONResponse({"detail": errors}, 422)
    except ValueError:
        keys = ("type", "loc", "msg")
        safe = [{key: each[key] for key in keys} for each in errors]
        return JSONResponse({"detail": safe}, 422)


def handle_enqueue_error(request: Request, error: Exception) -> JSONResponse:
    """Log a call that cannot be enqueued. A client sees the message if it can act on it."""
    assert isinstance(error, EnqueueError)
    if request.scope["type"] != "http":
        raise error  # a WebSocket has no response
    is_server_error = error.status >= 500
    log.log(
        logging.ERROR if is_server_error else logging.INFO,
        "%s %s: %s",
        request.method,
        request.url.path,
        error,
        exc_info=error if is_server_error else None,
    )
    if is_server_error and get_settings().environment == "production":
        return JSONResponse({"detail": "Internal Server Error"}, error.status)
    return JSONResponse({"detail": str(error)}, error.status)


def handle_database_error(request: Request, error: Exception) -> JSONResponse:
    """Answer 503 when the database is busy or down."""
    from afterward.database import first_line

    log.error("%s %s: %s", request.method, request.url.path, first_line(error))
    detail = "The database is busy or down. Try again."
    return JSONResponse({"detail": detail}, 503, {"Retry-After": "1"})
