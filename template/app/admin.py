"""Who is an administrator: the bearer of ADMIN_TOKEN. A route asks with `IsAdmin`, or demands one."""

from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, Header, HTTPException

from app.settings import settings


def is_admin(authorization: Annotated[str, Header(include_in_schema=False)] = "") -> bool:
    """Tell whether a request comes from an administrator. Without a token: in development only."""
    if settings.admin_token is None:
        return settings.environment == "development"
    token = settings.admin_token.get_secret_value()
    return compare_digest(authorization.encode(), f"Bearer {token}".encode())


IsAdmin = Annotated[bool, Depends(is_admin)]


def demand_admin(admin: IsAdmin) -> None:
    """Refuse everybody else."""
    if settings.admin_token is None and not admin:
        raise HTTPException(403, "This is off until ADMIN_TOKEN is set.")
    if not admin:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "Send: Authorization: Bearer ADMIN_TOKEN", challenge)
