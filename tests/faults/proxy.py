"""A network of our own between the store and its server: slow, frozen, cut, deaf at a COMMIT, or leading elsewhere."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from sqlalchemy import make_url

__all__ = ["Proxy"]

_PART = 65_536
_COMMIT = re.compile(rb"[^ -~]COMMIT\x00?\Z")
"""As a statement of its own, in the messages of either server."""


class Proxy:
    """Forwards a loopback port to a server's.

    Attributes:
        target: Port that new connections lead to.
        late_answers: How many answers came later than they might have.
        lost_answers: How many answers to a COMMIT never came.
    """

    def __init__(self, target: int) -> None:
        """Listen on a free port."""
        self.target = target
        self.late_answers = 0
        self.lost_answers = 0
        self._delay = 0.0
        self._loses_commit_answer = False
        self._cuts = False
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._ear.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """Return the proxy, which listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything, and listen no more."""
        self._closed = True
        self._flows.set()
        self._ear.shutdown(socket.SHUT_RDWR)
        self._ear.close()
        self.cut()

    def url(self, url: str) -> str:
        """Return a server's URL as it is by way of the proxy."""
        return make_url(url).set(port=self.port).render_as_string(hide_password=False)

    def cut(self) -> int:
        """Cut all connections; return how many there were."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _cut(pair)
        return len(pairs)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nothing come through during the block, in either direction."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Let each answer come later during the block."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    def lose_next_commit_answer(self, *, cuts: bool) -> None:
        """Bring the next COMMIT to the server, but its answer nowhere.

        Args:
            cuts: Cut the connection then; else nothing more comes through it, and it seems to be alive.
        """
        self._cuts = cuts
        self._loses_commit_answer = True

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._ear.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            pair = (near, far)
            for end in pair:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append(pair)
            asked = _Asked()
            threading.Thread(target=self._forward, args=(pair, asked), daemon=True).start()
            threading.Thread(target=self._answer, args=(pair, asked), daemon=True).start()

    def _forward(self, pair: tuple[socket.socket, socket.socket], asked: "_Asked") -> None:
        near, far = pair
        with suppress(OSError):
            while part := near.recv(_PART):
                self._flows.wait()
                if self._loses_commit_answer and _COMMIT.search(part):
                    self._loses_commit_answer = False
                    asked.commit = True
                far.sendall(part)
        _cut(pair)

    def _answer(self, pair: tuple[socket.socket, socket.socket], asked: "_Asked") -> None:
        near, far = pair
        with suppress(OSError):
            while part := far.recv(_PART):
                if asked.commit:
                    self.lost_answers += 1
                    asked.commit = False
                    if self._cuts:
                        break
                    asked.is_deaf = True
                if asked.is_deaf:
                    continue
                self.late_answers += self._delay > 0
                time.sleep(self._delay)
                self._flows.wait()
                near.sendall(part)
        _cut(pair)


class _Asked:
    """What a connection waits for.

    Attributes:
        commit: Whether it is the answer to a COMMIT, which is to be lost.
        is_deaf: Whether no answer comes through any more.
    """

    def __init__(self) -> None:
        self.commit = False
        self.is_deaf = False


def _cut(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
