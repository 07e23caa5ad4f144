"""Errors as problem details (RFC 9457), under every route."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.exceptions import HTTPException

from app.background import EnqueueError
from app.database import reason
from app.settings import settings

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = (
        None  # what is wrong with the request, each with its place
    )


_SCHEMA = {"application/problem+json": {"schema": Problem.model_json_schema()}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    422: {"description": "The request is not valid", "content": _SCHEMA},
    "default": {"description": "Any other error", "content": _SCHEMA},
}


def install(app: FastAPI) -> None:
    """Answer every error of this application with problem details."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(EnqueueError, _not_enqueued)
    app.add_exception_handler(OperationalError, _database_busy)
    app.add_exception_handler(TimeoutError, _database_busy)
    app.add_exception_handler(Exception, _unexpected)


def _problem(
    status: int, detail: str, headers: dict[str, str] | None = None, **members: Any
) -> JSONResponse:
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return _problem(error.status_code, str(error.detail), headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Without what was sent: not all that JSON readers accept can be written as JSON again.
    errors = [{key: each[key] for key in ("type", "loc", "msg")} for each in error.errors()]
    return _problem(422, "The request is not valid.", errors=jsonable_encoder(errors))


def _not_enqueued(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EnqueueError)
    ours = error.status >= 500
    log.log(
        logging.ERROR if ours else logging.INFO,
        "%s %s: %s",
        *(request.method, request.url.path, error),
        exc_info=error if ours else None,
    )
    told = error.status < 500 or settings.environment == "development"
    detail = str(error) if told else "A background task could not be enqueued."
    return _problem(error.status, detail)


def _database_busy(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s: %s", request.method, request.url.path, reason(error))
    return _problem(503, "The database is busy or down. Try again.", {"Retry-After": "1"})


def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return _problem(500, "The server failed to answer this request.")  # it logs the error itself
