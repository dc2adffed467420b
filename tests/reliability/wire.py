"""HTTP as the rigs need it: it tells an answer whose head was seen whole from one that was not."""

import http.client
import json
import random
import socket
import struct
from dataclasses import dataclass

LOCAL = "127.0.0.1"


class Broken(Exception):
    """The connection ended before there was a whole head of an answer."""


@dataclass
class Answer:
    """An answer whose head was seen whole. `body` is None where the rest of it never came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes | None

    def json(self):
        return json.loads(self.body)

    @property
    def good(self):
        return 200 <= self.status < 300

    @property
    def replayed(self):
        return self.headers.get("Idempotent-Replayed") == "true"


class Connection:
    """One connection to the service, made anew after every break."""

    def __init__(self, address, patience=60):
        self.http = http.client.HTTPConnection(*address, timeout=patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.http.close()

    def ask(self, method, path, body=None, headers=None):
        """Sends a request and takes the answer."""
        self.send(method, path, body, headers)
        try:
            response = self.http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{method} {path}: {error!r}") from error
        return Answer(response.status, response.headers, self.rest(response))

    def send(self, method, path, body=None, headers=None):
        """Sends a request and leaves the answer where it is."""
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            self.http.request(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{method} {path}: {error!r}") from error

    def rest(self, response):
        try:
            return response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return None

    def reset(self):
        """Ends the connection with a reset, as a radio that drops out does: nothing unsent is sent any more."""
        if self.http.sock is not None:
            self.http.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def own_address():
    """A host and port on this machine that nobody else takes while the service on it is dead, as a free port would be."""
    return ".".join(["127", *(str(random.SystemRandom().randint(1, 254)) for _ in range(3))]), 11435
