"""A server of a case: a process that answers HTTP as the case says, byte by byte where needed."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.campaign.stage import Stage


@dataclass
class Reply:
    """What the server sends for a question; bytes as they are."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # declared; None: the true one; -1: none is declared
    pause_s: float = 0.0  # before each piece of the body
    piece: int = 0  # bytes per piece; 0: all at once
    is_endless: bool = False  # the body is repeated without end
    raw: bytes = b""  # sent in place of an HTTP answer


MODELS = Reply(json.dumps({"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "me"}]}).encode())


def text_answer(text: str) -> dict[str, Any]:
    """Return a complete answer in words."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    message = {"role": "assistant", "content": text}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


@contextmanager
def serve(stage: Stage, answer: Callable[[bytes], Reply], models: Reply = MODELS, port: int = 0) -> Iterator[str]:
    """Serve in a process of its own while the block runs; yield the address, up to /v1.

    :param port: 0: any free one.

    Each request is a line of ``requests`` in the stage's folder: the method, the path and the header Authorization.
    """
    listener = socket.create_server(("127.0.0.1", port))
    port = listener.getsockname()[1]
    process_id = os.fork()
    if not process_id:
        try:
            _serve(listener, answer, models, stage.folder / "requests")
        finally:
            os._exit(0)
    listener.close()
    stage.servers.add(process_id)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        stage.servers.discard(process_id)


def _serve(listener: socket.socket, answer: Callable[[bytes], Reply], models: Reply, log: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._log()
            _send(self, models)

        def do_POST(self) -> None:
            self._log()
            _send(self, answer(self.rfile.read(int(self.headers.get("Content-Length", "0")))))

        def _log(self) -> None:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{self.command} {self.path} {self.headers.get('Authorization')}\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that close the connection are no news."""

    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever(0.05)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    if reply.raw:
        handler.wfile.write(reply.raw)
        handler.close_connection = True
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.length != -1 and not reply.is_endless:
        handler.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
    else:
        handler.close_connection = True
    handler.end_headers()
    piece = reply.piece or max(1, len(reply.body))
    while True:
        for start in range(0, len(reply.body), piece):
            time.sleep(reply.pause_s)
            handler.wfile.write(reply.body[start : start + piece])
            handler.wfile.flush()
        if not reply.is_endless:
            break
    if reply.length is not None:
        handler.close_connection = True
