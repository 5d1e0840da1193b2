"""The ASGI service: webhook calls in, deliveries in, health. The same in production and in a simulation.

It is called for every message of every simulated run, so there is nothing in front of the endpoints.
"""

import hmac
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn

from pydantic import SecretStr
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.buffer.function import Function
from engine.buffer.model import Conversation
from engine.buffer.runtime import DELIVERY_PATH, Recorder, encode
from engine.buffer.settings import Settings
from engine.buffer.webhook import BadWebhook, Ignored, parse_webhook

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]

_log = logging.getLogger("bufferproof")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


#: Made once, because making one costs more than decoding a message.
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def create_app(
    function: Function,
    settings: Settings,
    *,
    lifespan: Lifespan | None = None,
    routes: Sequence[Route] = (),
    record: Recorder | None = None,
) -> Starlette:
    """The service of one function. `lifespan`, further `routes` and the `record` of refused calls are for production."""
    service = _Service(function, settings, record)
    return Starlette(
        routes=[
            Route("/webhook", service.webhook, methods=["POST"]),
            Route(DELIVERY_PATH, service.delivery, methods=["POST"]),
            Route("/health", service.health, methods=["GET"]),
            *routes,
        ],
        lifespan=lifespan,
    )


def authorized(request: Request, secret: SecretStr) -> bool:
    """Whether the call carries this secret as a bearer token. Takes the same time for every wrong one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    # On bytes: on texts, compare_digest raises for anything but ASCII. Header values are decoded as Latin-1.
    right = hmac.compare_digest(token.encode("latin-1"), secret.get_secret_value().encode("utf-8"))
    return right and scheme.lower() == "bearer"


def answer(status: int, **body: Any) -> Response:
    """A JSON answer."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response(encode(body), status, headers=headers, media_type="application/json")


class _Service:
    """The endpoints of one function."""

    def __init__(self, function: Function, settings: Settings, record: Recorder | None) -> None:
        self._function = function
        self._settings = settings
        self._record = record

    async def webhook(self, request: Request) -> Response:
        """A provider's call: 200 accepted or ignored, 4xx refused, 503 not accepted."""
        token = self._settings.webhook_token
        if token is not None and not authorized(request, token):
            return self._refuse(request, 401, "send the webhook token as Authorization: Bearer")
        try:
            found = parse_webhook(await _json_body(request, self._settings.max_body_bytes), self._settings)
        except BadWebhook as error:
            return self._refuse(request, error.status, str(error))
        if isinstance(found, Ignored):
            return answer(200, success=True, ignored=found.reason)
        try:
            status = await self._function.receive(found)
        except Exception:  # whatever it was, the message was not accepted, and the provider must know
            _log.exception("a webhook call failed")
            status = 503
        return answer(status, success=status == 200)

    async def delivery(self, request: Request) -> Response:
        """A delivery call: 200 processed or nothing to do, 500 failed."""
        if not authorized(request, self._settings.service_key):
            return self._refuse(request, 401, "send the service key as Authorization: Bearer")
        try:
            body = await _json_body(request, self._settings.max_body_bytes)
        except BadWebhook as error:
            return self._refuse(request, error.status, str(error))
        names = (body.get("instanceName"), body.get("userPhone")) if isinstance(body, dict) else (None, None)
        if not isinstance(names[0], str) or not isinstance(names[1], str):
            return self._refuse(request, 400, "instanceName and userPhone must be texts")
        status, delivery = await self._function.deliver(Conversation(instance_name=names[0], user_phone=names[1]))
        return answer(status, success=delivery.success, processed=delivery.processed)

    def _refuse(self, request: Request, status: int, why: str) -> Response:
        if self._record is not None:
            self._record("call.refused", path=request.url.path, status=status, why=why)
        return answer(status, success=False, error=why)

    async def health(self, request: Request) -> Response:
        """200 while Redis answers, else 503."""
        try:
            await self._function.runtime.redis.ping()
        except RedisError:
            return answer(503, success=False, redis="unreachable")
        return answer(200, success=True, redis="ok")


async def _json_body(request: Request, max_bytes: int) -> Any:
    """The decoded body. Raises `BadWebhook`: 400 it is no JSON, 413 it is too long, 422 it is nested too deep."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise BadWebhook(f"the body is longer than {max_bytes} bytes", 413)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:  # a body sent in chunks declares no length
                raise BadWebhook(f"the body is longer than {max_bytes} bytes", 413)
    except ClientDisconnect:
        raise BadWebhook("the call was broken off") from None
    try:
        return _decoder.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise BadWebhook("the body is nested too deep", 422) from None
    except ValueError:  # no JSON, no Unicode, or an integer of thousands of digits
        raise BadWebhook("the body is no valid JSON") from None
