"""A client of the web API in the same process: no port, no server, the same answers."""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx
from fastapi import FastAPI

__all__ = ["ApiClient"]


class ApiClient:
    """Sends requests to an application; a block in which it is used gives back its event loop."""

    def __init__(self, app: FastAPI) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://paper-bot")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self._runner.run(self._client.get(path, params=parameters))

    def post(self, path: str, **parameters: Any) -> httpx.Response:
        return self._runner.run(self._client.post(path, params=parameters))

    def delete(self, path: str) -> httpx.Response:
        return self._runner.run(self._client.delete(path))
