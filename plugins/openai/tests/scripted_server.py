"""A real HTTP server on loopback whose script decides how it answers: correctly, or with one of many failures."""

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


def text_answer(text: str) -> dict[str, Any]:
    """Return a complete response with an answer in words."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


def likeliest_logprobs(characters: str) -> dict[str, float]:
    """Return natural-log probabilities of the next character: one half, a quarter, and so on."""
    return {character: math.log(0.5 ** (position + 1)) for position, character in enumerate(characters)}


def scored_answer(content: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with log-probabilities, one token per character, that follows the grammar of the request."""
    allowed = [json.loads(choice) for choice in re.findall(r'"[^"]*"', content["grammar"])]
    text, steps = "", []
    while text not in allowed:
        tops = {"": "01x", "0": ".x", "1": ".x", "0.": "9876543210", "1.": "0x"}.get(text, "")
        top = likeliest_logprobs(tops[: content["top_logprobs"]])
        token = next(token for token in top if any(choice.startswith(text + token) for choice in allowed))
        steps.append(
            {
                "token": token,
                "logprob": top[token],
                "top_logprobs": [{"token": candidate, "logprob": logprob} for candidate, logprob in top.items()],
            }
        )
        text += token
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": steps}}]}


class Handler(BaseHTTPRequestHandler):
    """Answers with the script of the server, over HTTP/1.1, so that connections stay open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body of a response does not wait until the client has acknowledged its head
    server: ScriptedServer

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        if path.endswith("/chat/completions"):
            self._answer(content)
        elif reply := self.server.replies.get(path):
            status, body = reply(content)
            self.reply(body, status)
        else:
            self.reply({"detail": "Not Found"}, 404)

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

    def reply(self, body: Any, status: int = 200, **headers: str) -> None:
        """Send a complete response."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def drop(self) -> None:
        """Close the connection."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


Script = Callable[[Handler, "dict[str, Any] | None"], None]


class ScriptedServer(ThreadingHTTPServer):
    """The server, and the requests that it got."""

    daemon_threads = True

    def __init__(self, script: Script, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str], dict[str, Any] | None]] = []
        self.replies: dict[str, Callable[[dict[str, Any]], tuple[int, Any]]] = {}  # by path, beside chat completions
        self.n_open = self.most_open = 0
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_port}/v1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def scored(self) -> list[dict[str, Any]]:
        """The JSON objects of the requests for log-probabilities, in order."""
        return [content for content in self.posted if "logprobs" in content]

    @property
    def posted(self) -> list[dict[str, Any]]:
        """The JSON objects of all POST requests, in order."""
        return [content for _, _, content in self.requests if content is not None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about clients that closed the connection."""


@contextmanager
def serve(script: Script, certificate: Path | None = None) -> Iterator[ScriptedServer]:
    """Serve on loopback while the block runs."""
    with ScriptedServer(script, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer_correctly(handler: Handler, content: dict[str, Any] | None) -> None:
    """Answer as a server with log-probabilities does."""
    if content is None:
        handler.reply(MODELS)
    elif content.get("logprobs"):
        handler.reply(scored_answer(content))
    else:
        handler.reply(text_answer(" 0.5. It is grey. "))


def fail_first(*faults: Script) -> Script:
    """Return a script that answers the first questions with ``faults``, in order, and the next ones correctly."""
    remaining = list(faults)
    lock = threading.Lock()

    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        with lock:
            fault = remaining.pop(0) if content is not None and remaining else answer_correctly
        fault(handler, content)

    return script


def reply_status(code: int, body: Any = None, **headers: str) -> Script:
    """Return a script that answers with a status code and a body."""
    return lambda handler, _: handler.reply(body or {"error": {"message": "no luck today"}}, code, **headers)


def reply_html(handler: Handler, _: Any) -> None:
    handler.reply(b"<html>A page of a proxy</html>")


def drop_connection(handler: Handler, _: Any) -> None:
    handler.drop()


def reply_half(handler: Handler, _: Any) -> None:
    data = json.dumps(text_answer("0.9")).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.wfile.flush()
    handler.drop()


def reply_late(handler: Handler, _: Any) -> None:
    time.sleep(3)
    handler.drop()
