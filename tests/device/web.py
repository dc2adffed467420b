"""HTTP/1.1 as the loads speak it: over sockets of their own, an answer read as slowly as one likes, nothing held but a piece."""

import asyncio
import dataclasses
import json
import socket

from pattern import Follower

PIECE = 64 * 1024


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclasses.dataclass
class Answer:
    """The head of an answer; the rest is read by `pieces`."""

    status: int
    headers: dict
    body: bytes = b""

    def json(self):
        return json.loads(self.body)


class Connection:
    """One connection, made when it is first needed. Made with a small window, it holds little that nobody has read."""

    def __init__(self, address, headers=None, window=None):
        self.address, self.headers, self.window, self.writer = address, headers or {}, window, None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        if self.writer:
            self.writer.transport.abort()
            self.writer = None

    async def open(self):
        if self.writer is not None:
            return
        sock = socket.socket()
        sock.setblocking(False)
        # asyncio sets this only on sockets that it made: without it a body waits for the other side to confirm the head.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=self.window or PIECE)

    async def send_head(self, method, path, length, headers=None):
        fields = {"Content-Type": "application/json", "Content-Length": str(length)} | self.headers | (headers or {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.open()
        await self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self):
        """The head of the next answer."""
        try:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError as error:
            raise Broken(f"no answer, only {error.partial[:80]!r}") from None
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Answer(int(lines[0].split(" ")[1]), headers)

    async def pieces(self, answer, most=PIECE):
        """The body, in pieces of at most so many bytes."""
        if answer.headers.get("transfer-encoding") == "chunked":
            while length := int(await self.reader.readuntil(b"\r\n"), 16):
                async for piece in self.exactly(length, most):
                    yield piece
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        else:
            async for piece in self.exactly(int(answer.headers.get("content-length", 0)), most):
                yield piece

    async def exactly(self, length, most):
        while length:
            piece = await self.reader.read(min(length, most))
            if not piece:
                raise Broken(f"{length} bytes of an answer are missing")
            length -= len(piece)
            yield piece

    async def ask(self, method, path, body=b"", headers=None):
        """A request and its whole answer."""
        try:
            await self.send_head(method, path, len(body), headers)
            await self.send(body)
            answer = await self.head()
            answer.body = b"".join([piece async for piece in self.pieces(answer)])
        except (OSError, Broken, asyncio.IncompleteReadError) as error:
            self.close()
            raise Broken(f"{method} {path}: {error!r}") from error
        if answer.headers.get("connection") == "close":
            self.close()
        return answer


class Events:
    """What came of a stream of chat completion chunks. Its text is compared as it comes, and not kept."""

    def __init__(self):
        self.rest, self.text = b"", Follower()
        self.is_done, self.error = False, None

    def take(self, piece):
        *lines, self.rest = (self.rest + piece).split(b"\n")
        for line in lines:
            if line == b"data: [DONE]":
                self.is_done = True
            elif line.startswith(b"data: "):
                self.event(json.loads(line[6:]))

    def event(self, event):
        self.error = self.error or event.get("error")
        for choice in event.get("choices", ()):
            self.text.take((choice["delta"].get("content") or "").encode())

    def is_whole(self, total):
        return self.is_done and self.error is None and self.text.is_right and self.text.at == total

    def __str__(self):
        return f"{self.text.at} bytes, {'right' if self.text.is_right else 'wrong'}, done {self.is_done}, error {self.error}"


def chat(prompt, model="default", stream=False):
    """The body of a chat."""
    return json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]}).encode()
