"""Signing in for the page: pictures cannot send a header, so the token becomes a cookie."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bento_service.api.auth.access import COOKIE
from bento_service.api.http.forwarded import public_url
from bento_service.api.http.problems import parsed_json
from bento_service.api.openapi import body_of, json_content
from bento_service.errors import TooLarge, Unauthenticated

router = APIRouter(prefix="/api/v2/session")
_MAX_BODY = 8192


class SignIn(BaseModel):
    """A token to sign in with."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=4096)


@router.post("", status_code=204, openapi_extra=body_of(json_content(SignIn)))
async def sign_in(request: Request, response: Response) -> None:
    """Store a token in a cookie that other sites' pages do not send and scripts cannot read."""
    body = SignIn.model_validate(parsed_json(await _short_body(request)))
    if request.app.state.tokens.caller(body.token) is None:
        raise Unauthenticated("this token is not valid; ask the operator for one")
    is_https = request.url.scheme == "https" or public_url(request).startswith("https:")
    response.set_cookie(COOKIE, body.token, httponly=True, samesite="strict", secure=is_https)


async def _short_body(request: Request) -> bytes:
    """Return the body of an unauthenticated caller, which may be short only."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise TooLarge(f"a token takes less than {_MAX_BODY} bytes")
    return body


@router.delete("", status_code=204)
def sign_out(response: Response) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
