"""A real HTTP server on loopback that answers as it is told to: well, or in one of the ways in which servers fail."""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "me"}]}


def written(text: str) -> dict[str, Any]:
    """Return a whole answer in words."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


def likeliest(characters: str) -> dict[str, float]:
    """Return natural-log probabilities of the next character: the first has half, the next a quarter, and so on."""
    return {character: math.log(0.5 ** (place + 1)) for place, character in enumerate(characters)}


def scored(content: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with log-probabilities, one token per character, held to the request's grammar."""
    allowed = [json.loads(each) for each in re.findall(r'"[^"]*"', content["grammar"])]
    text, steps = "", []
    while text not in allowed:
        tops = {"": "01x", "0": ".x", "1": ".x", "0.": "9876543210", "1.": "0x"}.get(text, "")
        top = likeliest(tops[: content["top_logprobs"]])
        token = next(each for each in top if any(choice.startswith(text + each) for choice in allowed))
        steps.append(
            {
                "token": token,
                "logprob": top[token],
                "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()],
            }
        )
        text += token
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": steps}}]}


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's script; HTTP/1.1, so that connections are kept."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._answer(json.loads(self.rfile.read(length)))

    def _answer(self, content: dict[str, Any] | None) -> None:
        owner = self.server
        with owner.lock:
            owner.requests.append((self.path, dict(self.headers), content))
            owner.n_open += 1
            owner.most_open = max(owner.most_open, owner.n_open)
        try:
            owner.script(self, content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with owner.lock:
                owner.n_open -= 1

    def say(self, body: Any, status: int = 200, **headers: str) -> None:
        """Answer whole."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def break_off(self) -> None:
        """Close the connection."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


Script = Callable[[Handler, "dict[str, Any] | None"], None]


class Scripted(ThreadingHTTPServer):
    """The server, and what it was asked."""

    daemon_threads = True

    def __init__(self, script: Script, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str], dict[str, Any] | None]] = []
        self.n_open = self.most_open = 0
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_port}/v1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What was posted."""
        return [content for _, _, content in self.requests if content is not None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


@contextmanager
def serving(script: Script, certificate: Path | None = None) -> Iterator[Scripted]:
    """Serve on loopback while the block runs."""
    with Scripted(script, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def good(handler: Handler, content: dict[str, Any] | None) -> None:
    """Answer well."""
    if content is None:
        handler.say(MODELS)
    elif content.get("logprobs"):
        handler.say(scored(content))
    else:
        handler.say(written(" 0.5. It is grey. "))


def failing(*faults: Script) -> Script:
    """Fail at the first questions in these ways, one after the other, and answer well then."""
    left = list(faults)
    lock = threading.Lock()

    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        with lock:
            fault = left.pop(0) if content is not None and left else good
        fault(handler, content)

    return script


def status(code: int, body: Any = None, **headers: str) -> Script:
    """Answer with a status."""
    return lambda handler, _: handler.say(body or {"error": {"message": "no luck today"}}, code, **headers)


def garbage(handler: Handler, _: Any) -> None:
    handler.say(b"<html>A page of a proxy</html>")


def nothing(handler: Handler, _: Any) -> None:
    handler.break_off()


def half(handler: Handler, _: Any) -> None:
    data = json.dumps(written("0.9")).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.wfile.flush()
    handler.break_off()


def silent(handler: Handler, _: Any) -> None:
    time.sleep(3)
    handler.break_off()
