"""Who is an administrator: the bearer of ADMIN_TOKEN. A route asks with `IsAdmin`, or demands one."""

from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.settings import settings

_bearer = HTTPBearer(scheme_name="ADMIN_TOKEN", auto_error=False)  # which /docs asks for, too


def is_admin(
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> bool:
    """Tell whether a request comes from an administrator. Without a token: in development only."""
    if settings.admin_token is None:
        return settings.environment == "development"
    token = settings.admin_token.get_secret_value()
    # A header comes as Latin-1, whatever its bytes are; those of a token are UTF-8.
    return sent is not None and compare_digest(sent.credentials.encode("latin-1"), token.encode())


IsAdmin = Annotated[bool, Depends(is_admin)]


def demand_admin(admin: IsAdmin) -> None:
    """Refuse everybody else."""
    if settings.admin_token is None and not admin:
        raise HTTPException(403, "This is off until ADMIN_TOKEN is set.")
    if not admin:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "Send: Authorization: Bearer ADMIN_TOKEN", challenge)
