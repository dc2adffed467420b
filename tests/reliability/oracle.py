"""What the service has promised so far, and whether it keeps it.

A job is an obligation from the moment the whole head of a 2xx answer to its create was seen, until the client begins to
delete it. The oracle takes notes of both, and compares them with what the service shows.
"""

import collections
import json
import random
import threading
from dataclasses import dataclass, field

import prompts


@dataclass(eq=False)
class Job:
    """A job as its client knows it."""

    name: str  # what its prompt says, and its id where the client chooses that
    prompt: str
    priority: str | None = None
    manner: str = "put"  # how it is created: put, post or prefer
    id: str | None = None  # its id in the API, once known
    issued: float | None = None  # when its create was first sent, by the clock of whoever keeps it
    accepted: float | None = None  # when it was accepted
    deleting: float | None = None  # when its deletion was first sent
    deleted: bool = False  # whether the deletion was answered
    cancelled: bool = False
    result: bytes | None = None  # the first result read
    result_read: float | None = None

    @property
    def owed(self):
        """Whether the service must have it."""
        return self.accepted is not None and self.deleting is None

    def chat(self):
        return {"model": "default", "messages": [{"role": "user", "content": self.prompt}]}

    def body(self):
        job = {"path": "/v1/chat/completions", "body": self.chat()}
        if self.priority:
            job["priority"] = self.priority
        return json.dumps(job).encode()


@dataclass
class Oracle:
    """All jobs of a run."""

    seed: int = 0
    jobs: dict = field(default_factory=dict)  # by name
    counts: collections.Counter = field(default_factory=collections.Counter)
    wrong: list = field(default_factory=list)  # promises that were broken, in words

    def __post_init__(self):
        self.rng = random.Random(self.seed)
        self.lock = threading.Lock()

    def mint(self, size, **about):
        """A job that nobody has seen yet."""
        with self.lock:
            name = f"j{self.seed}-{len(self.jobs)}"
            job = Job(name, prompts.prompt(name, size, self.rng), **about)
            if job.manner == "put":
                job.id = name
            self.jobs[name] = job
            return job

    def count(self, what, times=1):
        with self.lock:
            self.counts[what] += times

    def blame(self, what):
        with self.lock:
            self.wrong.append(what)

    def accept(self, job, now):
        with self.lock:
            if job.accepted is None:
                job.accepted = now
                self.counts["accepted"] += 1

    def owed(self):
        return [job for job in self.jobs.values() if job.owed]

    def missing(self, shown):
        """The jobs that are owed and not among those shown, which are given by id."""
        return [job for job in self.owed() if job.id not in shown]

    def check_shown(self, shown):
        """Compares what the service lists, by id, with what it owes. Counts what is lost."""
        for job in self.missing(shown):
            self.count("lost")
            self.blame(f"{job.id} was accepted and is lost")
            job.deleting = -1.0  # told once
        for job in self.owed():
            state = shown[job.id]["state"] if job.id in shown else None
            if job.result is not None and state not in ("succeeded", None):
                self.blame(f"{job.id} had a result and is {state} now")
            if job.cancelled and state not in ("cancelled", None):
                self.blame(f"{job.id} was cancelled and is {state} now")

    def check_strangers(self, shown, nameless=0):
        """Jobs that nobody has handed in; `nameless` ones may have been, without an answer that named them."""
        known = {job.id for job in self.jobs.values()}
        strangers = [id for id in shown if id not in known]
        if len(strangers) > nameless:
            self.blame(f"jobs that nobody made: {strangers[:5]}")

    def check_result(self, job, result, upstream=None, now=None):
        """A result is an answer to this very job, one that the provider gave, and the same for ever."""
        if not prompts.answers(result, job.prompt):
            self.count("altered")
            self.blame(f"{job.id} has a result that is none of its own: {result[:120]!r}")
        elif upstream and prompts.answer_text(result) not in upstream.answers[job.name]:
            self.count("altered")
            self.blame(f"{job.id} has a result that the provider never gave: {result[:120]!r}")
        elif job.result is None:
            job.result, job.result_read = result, now
            self.count("results")
        elif job.result != result:
            self.count("second results")
            self.blame(f"{job.id} has a second result")

    def check_upstream(self, upstream, most_calls=5):
        """Prompts came whole, and no job was called for too often."""
        self.count("altered", len(upstream.altered))
        for text in upstream.altered[:5]:
            self.blame(f"the provider got what nobody sent: {text[:80]!r}")
        for name, calls in upstream.calls.items():
            if calls > most_calls:
                self.blame(f"{name}: {calls} calls")
