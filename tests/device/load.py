#!/usr/bin/env python3
"""The loads that a board is put under, by clients on this machine. Each one looks at every byte that it gets.

    load.py HOST:PORT [NAME...]        by hand, against a service with the models of `configuration`

    streams     100 streams at once, a token every now and then
    readers     32 clients that read a stream of 512 KiB in small bites
    writers     32 clients that write a request of 60 KiB in small bites
    jobs        10,000 jobs are handed in, listed page by page, and looked at; none of them is due
    document    64 MiB to /v1/summaries, answered by the extract
    pieces      the same, answered by the model in the guest
    huge        answers of 100 MB: whole, and as a stream that is too long, and as one that is not
    mixed       a little of everything, by lot, for a number of requests

A load returns what it counted, and what was wrong in `faults`. No condition is one of time; all waits are bounded.
"""

import argparse
import asyncio
import collections
import dataclasses
import json
import random
import sys
import time

from mixed import MEBI, TEXT, Mixed, content, document
from web import Broken, Connection, Events, chat

PATIENCE = 900  # seconds for a load: a bound, and no condition
HUGE = 100_000_000
REFUSALS = (429, 503)


@dataclasses.dataclass
class Size:
    """How much of each load. Those of the promises are the defaults; a small class of boards has less."""

    streams: int = 100
    tokens: int = 40
    pause: int = 500  # milliseconds between two tokens
    clients: int = 32
    read: int = 512 * 1024
    written: int = 60 * 1024
    jobs: int = 10_000
    document: int = 64 * MEBI  # for the extract
    piecemeal: int = 64 * MEBI  # for the model
    longest_stream: int = 64 * MEBI  # 16 times max_answer: more ends with an error
    is_wide: bool = True  # whether a stream of 100 MB is also read to its end
    requests: int = 1_000
    refusals: bool = False  # whether 429 and 503 are answers too


class Load(Mixed):
    """The clients. `headers` are what each of their requests bears: a host's name, and a token where one is wanted."""

    def __init__(self, address, size=None, headers=None, seed=0):
        self.address, self.size, self.headers = address, size or Size(), headers or {"Host": "127.0.0.1:11435"}
        self.rng = random.Random(seed)
        self.counts, self.faults = collections.Counter(), []

    def run(self, name, **more):
        """Runs a load by its name. Returns what it counted."""
        self.counts, self.faults = collections.Counter(), []
        began = time.monotonic()
        try:
            asyncio.run(asyncio.wait_for(getattr(self, name)(**more), PATIENCE))
        except TimeoutError:
            self.faults.append(f"{name} did not end within {PATIENCE} s; so far {dict(self.counts)}")
        except (OSError, Broken) as error:
            self.faults.append(f"{name}: {error!r}")
        self.seconds = time.monotonic() - began
        return self.counts

    def must(self, held, what):
        if not held and len(self.faults) < 20:
            self.faults.append(what)

    def connect(self, window=None):
        return Connection(self.address, self.headers, window)

    def refused(self, answer):
        """Whether it was told to come again, where that is an answer."""
        if self.size.refusals and answer.status in REFUSALS:
            self.counts["refused"] += 1
            return True
        return False

    async def all(self, works, what):
        """Does the works at once. One that falls over is a fault, and stops no other."""

        async def after(pause, work):
            # They come one after the other, as clients do; QEMU's network also takes few connections in one moment.
            await asyncio.sleep(pause)
            await work

        for error in await asyncio.gather(*(after(number * 0.03, work) for number, work in enumerate(works)), return_exceptions=True):
            if isinstance(error, asyncio.CancelledError):
                raise error
            self.must(error is None, f"{what}: {error!r}")

    async def streams(self, at_full=None):
        """`at_full` is called in a thread of its own once every stream has begun; until it returns, each goes on."""
        self.waited_for, self.full, self.measured = self.size.streams, asyncio.Event(), asyncio.Event()
        works = [self.slow_streams() for _ in range(self.size.streams)]
        await self.all([*works, self.measure(at_full)], "a stream")
        at_once = self.size.streams - self.counts["refused"]
        self.must(at_once > 0 and self.counts["at once"] == at_once, f"only {self.counts['at once']} streams at once")

    async def measure(self, at_full):
        await self.full.wait()
        if at_full:
            await asyncio.get_running_loop().run_in_executor(None, at_full)
        self.measured.set()

    async def slow_streams(self):
        begun = False

        def begin():
            nonlocal begun
            self.counts["at once"] += not begun
            self.arrive(not begun)
            begun = True

        async with self.connect() as it:
            while not self.measured.is_set():
                events, status = await self.read_stream(it, f"slow {self.size.tokens} {self.size.pause}", begin)
                if status is None:
                    self.arrive(not begun)
                    return
                self.must(events.is_whole(self.size.tokens * 16), f"a slow stream: {events}")
                self.counts["streams"] += 1

    def arrive(self, is_first):
        """One stream less has to be waited for: it has begun, or was refused."""
        self.waited_for -= is_first
        if self.waited_for == 0:
            self.full.set()

    async def read_stream(self, it, prompt, on_first=None, most=64 * 1024, pause=0, model="default"):
        """Reads a stream to its end. Returns its events, and its status; None where it was refused."""
        body = chat(prompt, model, stream=True)
        await it.send_head("POST", "/v1/chat/completions", len(body))
        await it.send(body)
        answer = await it.head()
        events = Events()
        if answer.status != 200:
            text = b"".join([piece async for piece in it.pieces(answer)])
            self.must(self.refused(answer), f"a stream is {answer.status} {text[:200]!r}")
            return events, None
        async for piece in it.pieces(answer, most):
            if on_first and events.text.at == 0:
                events.take(piece)
                on_first()
            else:
                events.take(piece)
            if pause:
                await asyncio.sleep(pause)
        return events, 200

    async def readers(self):
        await self.all([self.slow_reader() for _ in range(self.size.clients)], "a slow reader")

    async def slow_reader(self):
        async with self.connect(window=4096) as it:
            events, status = await self.read_stream(it, f"long {self.size.read}", most=4096, pause=0.02)
        if status:
            self.must(events.is_whole(self.size.read), f"a slow reader got {events}")
            self.counts["read"] += 1

    async def writers(self):
        await self.all([self.slow_writer(number) for number in range(self.size.clients)], "a slow writer")

    async def slow_writer(self, number):
        filler = "".join(self.rng.choices("abcdefgh ", k=self.size.written))
        body = chat(f"writer {number} {filler}")
        async with self.connect() as it:
            await it.send_head("POST", "/v1/chat/completions", len(body))
            for at in range(0, len(body), 2048):
                await it.send(body[at : at + 2048])
                await asyncio.sleep(0.1)
            answer = await it.head()
            answer.body = b"".join([piece async for piece in it.pieces(answer)])
        if not self.refused(answer):
            told = f"You said: writer {number} {filler}"[:100]
            self.must(answer.status == 200 and content(answer).startswith(told), f"a slow writer: {answer.status} {answer.body[:200]!r}")
            self.counts["written"] += 1

    async def jobs(self):
        """Hands jobs in that are not due, lists them in their order, and looks at some."""
        left = iter(range(self.size.jobs))
        # Many at once, so that one commit takes in many of them.
        await self.all([self.hand_in(left) for _ in range(self.size.clients)], "a job")
        self.must(self.counts["accepted"] == self.size.jobs, f"{self.counts['accepted']} jobs were accepted")
        for page in (10, 100):
            self.must(await self.list(page) == self.size.jobs, f"not all jobs are in the list by pages of {page}")
        async with self.connect() as it:
            for number in self.rng.sample(range(self.size.jobs), min(50, self.size.jobs)):
                answer = await it.ask("GET", f"/v1/jobs/load-{number}")
                self.must(answer.status == 200 and answer.json()["state"] == "queued", f"job {number}: {answer.status} {answer.body[:200]!r}")

    async def hand_in(self, left):
        async with self.connect() as it:
            for number in left:
                job = {"path": "/v1/chat/completions", "not_before": "6d", "ttl": "7d", "body": json.loads(chat(f"job {number} " + "x" * 300))}
                answer = await it.ask("PUT", f"/v1/jobs/load-{number}", json.dumps(job).encode())
                self.must(answer.status == 202, f"job {number}: {answer.status} {answer.body[:200]!r}")
                self.counts["accepted"] += answer.status == 202

    async def list(self, page):
        """How many jobs the list shows, each once."""
        shown, after = set(), ""
        async with self.connect() as it:
            while after is not None:
                answer = await it.ask("GET", f"/v1/jobs?state=queued&limit={page}{after and f'&after={after}'}")
                if answer.status != 200:
                    self.must(False, f"the list: {answer.status} {answer.body[:200]!r}")
                    return 0
                names = [job["id"] for job in answer.json()["jobs"]]
                self.must(not shown & set(names), f"the list shows a job twice, by pages of {page}")
                shown.update(names)
                after = answer.json()["next"]
                self.counts["pages"] += 1
        return len(shown)

    async def document(self):
        await self.summarise("builtin/extractive", "extractive", self.size.document)

    async def pieces(self):
        await self.summarise("local/small", "map_reduce", self.size.piecemeal)

    async def summarise(self, model, method, size):
        async with self.connect() as it:
            await it.send_head("POST", f"/v1/summaries?model={model}", size, TEXT)
            for piece in document(size):
                await it.send(piece)
            answer = await it.head()
            answer.body = b"".join([piece async for piece in it.pieces(answer)])
        if answer.status != 200:
            self.must(self.refused(answer), f"the document: {answer.status} {answer.body[:300]!r}")
            return
        got = answer.json()
        self.counts["pieces"] = got["coverage"]["chunks"]
        self.must(got["method"] == method, f"the document was answered by {got['method']}")
        whole = got["coverage"]["bytes"] == got["coverage"]["bytes_summarised"] >= size * 0.99
        self.must(whole and not got["coverage"]["skipped"], f"not all of the document is in its summary: {got['coverage']}")
        self.must(len(got["summary"]) > 20, f"a summary of {got['summary']!r}")

    async def huge(self):
        async with self.connect() as it:
            answer = await it.ask("POST", "/v1/chat/completions", chat(f"long {HUGE}"))
            self.must(answer.status == 502 and b"max_answer" in answer.body, f"100 MB in one answer: {answer.status} {answer.body[:200]!r}")
            events, _ = await self.read_stream(it, f"long {HUGE}")
            self.must(events.text.is_right, "a stream of 100 MB was altered")
            cut = events.error is not None and not events.is_done and 0 < events.text.at <= self.size.longest_stream
            self.must(cut, f"a stream that is too long: {events}")
            self.counts["bytes"] += events.text.at
        if not self.size.is_wide:
            return
        async with self.connect() as it:
            events, _ = await self.read_stream(it, f"long {HUGE}", model="wide")
            self.must(events.is_whole(HUGE), f"a stream of 100 MB: {events}")
            self.counts["bytes"] += events.text.at


def configuration(max_answer="4MiB"):
    """The providers and models that these loads ask for: `wide` takes streams of 100 MB, `default` what is said here."""
    table = f'kind = "ollama"\nbase_url = "http://127.0.0.1:11434"\nlocality = "local"\nmax_concurrent = 100\nmax_waiting = 100\nmax_context = 32768\n'
    return (
        f'[providers.local]\n{table}max_answer = "{max_answer}"\n[providers.wide]\n{table}'
        f'max_answer = "8MiB"\n[models.default]\ntargets = ["local/small"]\n[models.wide]\ntargets = ["wide/small"]\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("names", nargs="*", default=["streams", "readers", "writers", "jobs", "document", "pieces", "huge", "mixed"])
    options = parser.parse_args()
    host, port = options.address.split(":")
    load, faults = Load((host, int(port))), 0
    for name in options.names:
        counts = load.run(name)
        print(f"{name}: {dict(counts)} ({load.seconds:.1f} s)", *load.faults, sep="\n  ", flush=True)
        faults += len(load.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
