"""What stands around the gateway in the tests of the firmware examples: an Ollama, a wire that can be cut, a liar."""

import asyncio
import json
import random
import socket
import time
from typing import NamedTuple

MODEL = "tiny"
ANSWER = "Yes: 81 °C is too hot — switch it off. ✓"
# 20 KiB in characters of one to four bytes, so that every border of a buffer cuts one somewhere.
LONG = "".join(f"{number}: Wärme, 温度, 🔥; " for number in range(2000)).encode()[:20480].decode(errors="ignore")


GIVEN = set()


def free_port():
    """One that nobody listens on, below those that the kernel gives to outgoing connections, and another each time."""
    while True:
        port = random.randrange(10000, 32000)
        if port in GIVEN:
            continue
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind(("127.0.0.1", port))
                GIVEN.add(port)
                return port
            except OSError:
                continue  # in use


async def read_head(reader):
    """The first line, the fields and all bytes of a head."""
    raw = await reader.readuntil(b"\r\n\r\n")
    lines = raw.decode("latin-1").split("\r\n")
    fields = dict(line.split(":", 1) for line in lines[1:] if line)
    return lines[0], {name.lower(): value.strip() for name, value in fields.items()}, raw


async def read_body(reader, fields):
    return await reader.readexactly(int(fields.get("content-length", 0)))


class Server:
    """One listening socket on a port of its own, which can be shut and opened again."""

    def __init__(self):
        self.port = free_port()
        self.server = None
        self.writers = set()

    async def open(self):
        self.server = await asyncio.start_server(self.guarded, "127.0.0.1", self.port, limit=1 << 20)
        return self

    async def shut(self):
        if self.server:
            self.server.close()
            self.server = None
        for writer in list(self.writers):
            writer.transport.abort()

    async def guarded(self, reader, writer):
        self.writers.add(writer)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other end has gone, or the test has ended
        finally:
            self.writers.discard(writer)
            writer.close()

    async def serve(self, reader, writer):
        raise NotImplementedError


class Ollama(Server):
    """Knows one model. A prompt with "long" in it gets LONG, one with "overloaded" 503, every other one ANSWER; while `free` is
    not set, they all wait."""

    def __init__(self):
        super().__init__()
        self.prompts = []
        self.free = asyncio.Event()
        self.free.set()

    async def serve(self, reader, writer):
        while True:
            line, fields, _ = await read_head(reader)
            body = await read_body(reader, fields)
            answer = await self.answer(line.split()[1], body)
            status = "503 Service Unavailable\r\nRetry-After: 1" if b"overloaded" in body else "200 OK"
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write(head.encode() + answer)
            await writer.drain()

    async def answer(self, path, body):
        card = {"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "size": 1000, "details": {"family": "llama"}}
        if path == "/api/chat":
            return await self.chat(json.loads(body))
        known = {
            "/api/version": {"version": "0.5.4"},
            "/api/tags": {"models": [card]},
            "/api/ps": {"models": [card]},
            "/api/show": {"parameters": "num_ctx 4096", "model_info": {"llama.context_length": 4096}},
        }
        return json.dumps(known.get(path, {})).encode()

    async def chat(self, request):
        line = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z"}
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 9}
        messages = request.get("messages") or []
        text = ""
        if messages:
            prompt = messages[-1]["content"]
            self.prompts.append(prompt)
            await self.free.wait()
            text = LONG if "long" in prompt else ANSWER
        return json.dumps(line | {"message": {"role": "assistant", "content": text}} | end).encode() + b"\n"


class Seen(NamedTuple):
    """One request and its answer, as they passed a wire."""

    time: float
    line: str
    asked: dict
    status: int
    fields: dict
    head: int  # bytes of the answer's head


class Wire(Server):
    """Stands between one example and the gateway, and notes what passes. It can cut answers, and let them trickle."""

    def __init__(self, target, cuts=0, trickle=False):
        super().__init__()
        self.target, self.cuts, self.trickle = target, cuts, trickle
        self.seen = []

    async def serve(self, reader, writer):
        far, near = await asyncio.open_connection("127.0.0.1", self.target, limit=1 << 20)
        try:
            while True:
                await self.exchange(reader, writer, far, near)
        finally:
            near.close()

    async def exchange(self, reader, writer, far, near):
        line, fields, raw = await read_head(reader)
        near.write(raw + await read_body(reader, fields))
        status_line, answer, head = await read_head(far)
        status = int(status_line.split()[1])
        self.seen.append(Seen(time.monotonic(), line.rsplit(" ", 1)[0], fields, status, answer, len(head)))
        body = b"" if status == 204 else await read_body(far, answer)
        if self.cuts > 0 and status == 200 and len(body) > 20:
            self.cuts -= 1
            writer.write(head + body[: len(body) // 2 + 1])
            await writer.drain()
            writer.close()
            raise ConnectionResetError
        await self.pass_on(writer, head + body)

    async def pass_on(self, writer, whole):
        if not self.trickle:
            writer.write(whole)
            await writer.drain()
            return
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at, size = 0, 1
        while at < len(whole):
            writer.write(whole[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
            at, size = at + size, size % 7 + 1

    def statuses(self, start):
        return [seen.status for seen in self.seen if seen.line.startswith(start)]


class Liar(Server):
    """A gateway that is none: each kind of lie is one that no client may take for an answer. The truth has to be taken."""

    KINDS = ("truth", "cut", "other job", "no length", "no HTTP", "too short a head", "always busy")

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.times = []  # when each request came

    async def serve(self, reader, writer):
        line, fields, _ = await read_head(reader)
        await read_body(reader, fields)
        self.times.append(time.monotonic())
        writer.write(self.answer(*line.split()[:2]))
        await writer.drain()

    def answer(self, method, path):
        place = "/v1/jobs/another" if self.kind == "other job" else path
        taken = f"HTTP/1.1 202 Accepted\r\nLocation: {place}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        if self.kind == "always busy":
            return b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nbusy\n"
        if method == "PUT":
            return taken
        if method == "DELETE":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        return {
            "truth": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ntrue\n",
            "cut": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf of an ans",
            "other job": b"HTTP/1.1 202 Accepted\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\n{}",
            "no length": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nis it whole?",
            "no HTTP": b"220 mail.example ESMTP\r\nContent-Length: 4\r\n\r\nwhat",
            "too short a head": b"HTTP/1.1 200 OK\r\nContent-Le",
        }[self.kind]
