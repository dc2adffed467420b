"""A cloud provider on this machine's loopback, which a guest reaches as 10.0.2.2: OpenAI's API over TLS, and its failures.

    with Cloud(folder) as cloud:            # from a scenario
        cloud.mode = "portal-page"
    cloud.py FOLDER [--port N] [--mode M] [--not-before YYYYMMDDHHMMSSZ]      # by hand, until Ctrl-C

What it does is its mode, which may change at any time; a change ends the connections that are open.

    right               answers as the prompt says (slow N MS, long N, job ..., as guest/prompt.h has them)
    slow                drips an answer, a token each 250 ms
    huge                answers everything with 100 MB
    portal-page         200 and a page of HTML, as a sign-in page does
    portal-redirect     302 to one
    portal-certificate  shows the certificate of somebody else
    silent              takes connections and says nothing
    down                takes none

It counts calls, and bears the fields of tests/reliability's upstream that an Oracle looks at.
"""

import argparse
import asyncio
import collections
import itertools
import json
import pathlib
import ssl
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reliability"))

import prompts  # noqa: E402
from authority import Authority  # noqa: E402
from pattern import numbers  # noqa: E402

MODES = ("right", "slow", "huge", "portal-page", "portal-redirect", "portal-certificate", "silent", "down")
KEY = "a-key-of-the-fake-cloud"
HUGE = 100_000_000
PIECE = 1024
PAGE = b"<!doctype html><title>Welcome</title><p>Sign in to go on.</p>"
HEAD_MOST, BODY_MOST = 64 * 1024, 16 << 20


class Cloud:
    """The provider on a free port, or a given one, for the length of a `with`."""

    def __init__(self, folder, port=0, not_before="20200101000000Z"):
        self.authority = Authority(pathlib.Path(folder) / "authority")
        self.right = context_of(self.authority.site("cloud", not_before))
        others = Authority(pathlib.Path(folder) / "others")
        self.wrong = context_of(others.site("portal", names="DNS:portal.example"))
        self.port, self._mode = port, "right"
        self.lock = threading.Lock()
        self.requests = collections.Counter()  # by mode and path
        self.calls = collections.Counter()  # chats, by job or by the prompt's first word
        self.altered, self.answers = [], collections.defaultdict(set)
        self.wrong_keys = 0
        self.serials = itertools.count(1)
        self.tasks = set()

    @property
    def root(self):
        """The certificate that a client is to trust."""
        return self.authority.root

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.here(self.open())
        return self

    def __exit__(self, *_):
        self.here(self.close())
        self.loop.call_soon_threadsafe(self.loop.stop)

    @property
    def mode(self):
        return self._mode

    @mode.setter
    def mode(self, mode):
        if mode not in MODES:
            raise ValueError(f"no mode: {mode}")
        self._mode = mode
        self.here(self.change())

    def here(self, work):
        """Does the work in the loop's thread, and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def change(self):
        await self.close()
        if self._mode != "down":
            await self.open()

    async def open(self):
        # Another context and not another certificate: a resumed session would not ask for one.
        tls = {"silent": None, "portal-certificate": self.wrong}.get(self._mode, self.right)
        self.server = await asyncio.start_server(self.connected, "127.0.0.1", self.port, ssl=tls, limit=HEAD_MOST, backlog=256)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def connected(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            if self._mode == "silent":
                await reader.read()
            else:
                while await self.request(reader, writer):
                    pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError, ssl.SSLError):
            pass  # the other side has left, or the mode has changed
        finally:
            self.tasks.discard(task)
            writer.transport.abort()

    async def request(self, reader, writer):
        """Takes one request and answers it. Returns whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        length = int(fields.get("content-length", 0))
        if length > BODY_MOST:
            return False
        body = await reader.readexactly(length)
        with self.lock:
            self.requests[self._mode, path] += 1
            self.wrong_keys += fields.get("authorization") != f"Bearer {KEY}"
        await self.answer(writer, path, body)
        return True

    async def answer(self, writer, path, body):
        match self._mode:
            case "portal-page":
                await send(writer, 200, "text/html", PAGE)
            case "portal-redirect":
                await send(writer, 302, "text/html", PAGE, "Location: https://portal.example/sign-in\r\n")
            case _ if path.endswith("/models"):
                await send_json(writer, 200, {"object": "list", "data": [{"id": "big", "object": "model", "owned_by": "test"}]})
            case _ if path.endswith("/chat/completions"):
                await self.chat(writer, body)
            case _:
                await send_json(writer, 404, {"error": {"message": f"no {path}", "type": "invalid_request_error"}})

    async def chat(self, writer, body):
        request = json.loads(body)
        prompt = request["messages"][-1]["content"]
        total, piece, pause, text = self.take(prompt)
        if request.get("stream"):
            await stream(writer, total, piece, pause, text, (request.get("stream_options") or {}).get("include_usage"))
        else:
            await whole(writer, total, piece, pause, text)

    def take(self, prompt):
        """Counts a chat. Returns the length of its answer, that of a piece, the pause before each, and the text if it is fixed."""
        words = prompt.split()[:4] + [""] * 4
        with self.lock:
            serial = next(self.serials)
            self.calls[words[1] if words[0] == "job" else words[0]] += 1
            if words[0] == "job":
                job, intact = prompts.read(prompt)
                text = prompts.answer(prompt, serial, 0)
                self.answers[job].add(text)
                if not intact:
                    self.altered.append(prompt[:200])
                return len(text), PIECE, 0, text
        if self._mode == "huge":
            return HUGE, PIECE, 0, None
        if self._mode == "slow":
            return 40 * 16, 16, 0.25, None
        if words[0] == "slow":
            return int(words[1]) * 16, 16, int(words[2]) / 1000, None
        if words[0] == "long":
            return int(words[1]), PIECE, 0, None
        text = f"The cloud heard: {prompt[:200]}"
        return len(text), PIECE, 0, text


def context_of(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def pieces(total, piece, text):
    """The answer's text, piece by piece."""
    for at in range(0, total, piece):
        yield text[at : at + piece] if text is not None else numbers(min(piece, total - at), at).decode()


async def send(writer, status, kind, body, more=""):
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def send_json(writer, status, value):
    await send(writer, status, "application/json", json.dumps(value).encode())


def usage(total):
    return {"prompt_tokens": 9, "completion_tokens": total // 4 + 1, "total_tokens": total // 4 + 10}


async def whole(writer, total, piece, pause, text):
    """The answer in one JSON object, of which only a piece is held."""
    marker = "@@"
    choice = {"index": 0, "message": {"role": "assistant", "content": marker}, "finish_reason": "stop"}
    object_ = {"id": "chatcmpl-cloud", "object": "chat.completion", "created": 1, "model": "big", "choices": [choice], "usage": usage(total)}
    before, after = json.dumps(object_).split(marker)
    length = sum(len(json.dumps(part)) - 2 for part in pieces(total, piece, text)) if text is not None else total
    head = f"HTTP/1.1 200 -\r\nContent-Type: application/json\r\nContent-Length: {len(before) + length + len(after)}\r\n\r\n"
    writer.write((head + before).encode())
    for part in pieces(total, piece, text):
        await asyncio.sleep(pause)
        writer.write(json.dumps(part)[1:-1].encode())
        await writer.drain()
    writer.write(after.encode())
    await writer.drain()


async def stream(writer, total, piece, pause, text, wants_usage):
    """The answer as server-sent events."""
    writer.write(b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in pieces(total, piece, text):
        await asyncio.sleep(pause)
        await send_event(writer, [{"index": 0, "delta": {"role": "assistant", "content": part}, "finish_reason": None}])
    await send_event(writer, [{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if wants_usage:
        await send_event(writer, [], usage=usage(total))
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()


async def send_event(writer, choices, **more):
    event = {"id": "chatcmpl-cloud", "object": "chat.completion.chunk", "created": 1, "model": "big", "choices": choices}
    data = f"data: {json.dumps(event | more)}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=MODES, default="right")
    parser.add_argument("--not-before", default="20200101000000Z")
    options = parser.parse_args()
    with Cloud(options.folder, options.port, options.not_before) as cloud:
        cloud.mode = options.mode
        print(f"https://127.0.0.1:{cloud.port}/v1, {cloud.mode}, key {KEY}, root {cloud.root}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(dict(cloud.requests))


if __name__ == "__main__":
    main()
