"""A little of everything, by lot: the part of load.py that goes on for as long as one likes."""

import json

from pattern import numbers
from web import Broken, chat

MEBI = 1 << 20
TEXT = {"Content-Type": "text/plain"}


class Mixed:
    """Requests by lot, for a class that has `size`, `rng`, `counts`, `connect`, `all`, `must`, `refused` and `read_stream`."""

    async def mixed(self):
        left = iter(range(self.size.requests))
        await self.all([self.by_lot(left) for _ in range(8)], "of the mixed load")
        done = sum(self.counts.values())
        self.must(done >= self.size.requests, f"only {done} requests were made")
        self.must(self.counts["summaries"] > 0, "no document was summarised")

    async def by_lot(self, left):
        kinds = [self.a_chat] * 4 + [self.a_stream] * 4 + [self.an_ask, self.a_job, self.a_job, self.a_summary, self.a_leaver, self.a_mistake, self.a_look]
        async with self.connect() as it:
            for number in left:
                await self.rng.choice(kinds)(it, number)

    async def a_chat(self, it, number):
        size = self.rng.randint(10, 20_000)
        answer = await it.ask("POST", "/v1/chat/completions", chat(f"long {size} " + "y" * self.rng.randint(0, 10_000)))
        self.expect(answer, "chats", answer.status != 200 or content(answer).encode() == numbers(size))

    async def a_stream(self, it, number):
        size = self.rng.randint(10, 50_000)
        events, status = await self.read_stream(it, f"long {size}")
        self.counts["streams"] += 1
        self.must(status is None or events.is_whole(size), f"a stream: {events}")

    async def an_ask(self, it, number):
        answer = await it.ask("POST", "/v1/ask?model=default", f"number {number}".encode(), TEXT)
        self.expect(answer, "asks", answer.status != 200 or answer.body.decode().startswith(f"You said: number {number}"))

    async def a_job(self, it, number):
        path = f"/v1/jobs/mixed-{number}-{self.rng.randrange(1 << 32)}"
        size = self.rng.randint(10, 2_000)
        job = json.dumps({"path": "/v1/chat/completions", "body": json.loads(chat(f"long {size}"))}).encode()
        answer = await it.ask("PUT", path, job)
        self.expect(answer, "jobs", answer.status == 202, also=202)
        if answer.status != 202:
            return
        for _ in range(20):
            answer = await it.ask("GET", f"{path}/result?wait=20")
            if answer.status != 202:
                break
        self.must(answer.status == 200 and content(answer).encode() == numbers(size), f"a result: {answer.status} {answer.body[:200]!r}")
        answer = await it.ask("DELETE", path)
        self.must(answer.status == 204, f"a result is let go: {answer.status}")

    async def a_summary(self, it, number):
        body = b"".join(document(self.rng.randint(1_000, 200_000)))
        answer = await it.ask("POST", "/v1/summaries?model=builtin/extractive", body, TEXT)
        if answer.status == 503:
            self.counts["summaries put off"] += 1  # the memory for one is taken while another is read
            return
        self.expect(answer, "summaries", answer.status == 200 and len(answer.json()["summary"]) > 20)

    async def a_leaver(self, it, number):
        """A client that goes away in the middle of its answer."""
        self.counts["leavers"] += 1
        async with self.connect() as own:
            body = chat("slow 100 200", stream=True)
            await own.send_head("POST", "/v1/chat/completions", len(body))
            await own.send(body)
            await own.head()

    async def a_mistake(self, it, number):
        body, headers, status = self.rng.choice(
            ((b"{", {}, 400), (b"x" * 2 * MEBI, {}, 413), (chat("hello", "nobody"), {}, 404), (b"a", {"Content-Type": "image/png"}, 415))
        )
        try:
            async with self.connect() as own:
                answer = await own.ask("POST", "/v1/chat/completions", body, headers)
            self.expect(answer, "mistakes", answer.status == status, also=status)
        except Broken:
            # Who sends too much may find the connection closed before the answer was read.
            self.counts["mistakes"] += 1
            self.must(status == 413, f"a mistake that should be {status} closed the connection")

    async def a_look(self, it, number):
        answer = await it.ask("GET", self.rng.choice(("/status", "/metrics", "/v1/models", "/v1/jobs", "/healthz")))
        self.expect(answer, "looks", answer.status == 200)

    def expect(self, answer, kind, is_right, also=200):
        self.counts[kind] += 1
        if not self.refused(answer):
            self.must(answer.status in (200, also) and is_right, f"of {kind}: {answer.status} {answer.body[:200]!r}")


def content(answer):
    return answer.json()["choices"][0]["message"]["content"]


def document(size):
    """A report of so many bytes, in pieces: no two sentences are the same, and one in fifty says something."""
    number, held = 0, 0
    while held < size:
        lines = []
        for number in range(number, number + 500):
            lines.append(f"At hour {number} the gauge of pump {number % 97} showed {number * 7919 % 1000} and nothing was done. ")
            if number % 50 == 0:
                lines.append(f"Valve {number} broke and the plant was stopped, which is FACT-{number % 200}.\n\n")
        number += 1
        piece = "".join(lines).encode()[: size - held]
        held += len(piece)
        yield piece
