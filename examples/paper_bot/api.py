"""The bot as a web API. It needs fastapi, and httpx for the client in the same process: pip install fastapi httpx."""

import uuid

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.paper_bot.bot import PaperBot
from examples.paper_bot.rpc import Answer, Rpc, UnknownTrade
from tradestore import Trade
from tradestore.models import _request_id_ctx_var
from tradestore.operations.health import health

__all__ = ["create_app"]


class RequestScope:
    """Gives each request a session of its own, whichever threads answer it, and ends it with the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = _request_id_ctx_var.set(uuid.uuid4().hex)
        try:
            await self._app(scope, receive, send)
        finally:
            Trade.session.remove()
            _request_id_ctx_var.reset(token)


def create_app(bot: PaperBot) -> FastAPI:
    """Return the API of a bot."""
    app = FastAPI(title="paper bot")
    app.add_middleware(RequestScope)
    app.add_exception_handler(UnknownTrade, _refuse)
    rpc = Rpc(bot)
    app.get("/status")(rpc.status)
    app.get("/profit")(rpc.profit)
    app.get("/performance")(rpc.performance)
    app.get("/trades")(rpc.trades)
    app.delete("/trades/{trade_id}")(rpc.delete_trade)
    app.post("/forceexit/{trade_id}")(rpc.force_exit)
    app.get("/locks")(rpc.locks)
    app.post("/lock")(rpc.lock)

    @app.get("/health")
    def look() -> Answer:
        found = health(bot.store)
        if not found.can_read:
            raise HTTPException(503, "the database cannot be read")
        return {"can_write": found.can_write, "last_iteration": bot.number}

    return app


def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)
