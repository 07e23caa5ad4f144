"""Administrators: clients that send ADMIN_TOKEN as a bearer token."""

from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from afterward.settings import get_settings

_bearer = HTTPBearer(scheme_name="ADMIN_TOKEN", auto_error=False)


def is_admin(
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> bool:
    """Return whether a request comes from an administrator.

    Without ADMIN_TOKEN, every request does in development, and none in production.
    """
    settings = get_settings()
    if settings.admin_token is None:
        return settings.environment == "development"
    token = settings.admin_token.get_secret_value().encode()
    # A header arrives as Latin-1, whatever its bytes are; those of a token are UTF-8.
    return sent is not None and compare_digest(
        sent.credentials.encode("latin-1"), token
    )


IsAdminDep = Annotated[bool, Depends(is_admin)]


def require_admin(admin: IsAdminDep) -> None:
    """Allow administrators only.

    Raises:
        HTTPException: 403 while no token is set, else 401.
    """
    if admin:
        return
    if get_settings().admin_token is None:
        raise HTTPException(403, "Administration is off until ADMIN_TOKEN is set.")
    raise HTTPException(
        401,
        "Send the header: Authorization: Bearer ADMIN_TOKEN",
        {"WWW-Authenticate": "Bearer"},
    )
