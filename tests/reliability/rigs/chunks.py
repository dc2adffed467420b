"""chunks: a summary of 40 pieces is made under 50 kills, and no piece that is done is done again.

How long a life lasts: as many calls of the model as are still to be made, divided by the kills that are still to come, is a
life's mean share; it ends at a random moment between the first call's arrival and twice that share of the time that calls
take. That is about 1.1 calls a life, of which 0.8 are pieces, and it makes the kills fall on the whole job, its reduction
included. One in ten dies in its start instead. 20 starts in a row that keep no step would be 20 times bad luck, at which the
service gives a job up.

A call that a kill cuts off is made again, and so is one whose answer was there and not yet kept: never both in one life, as
a job makes its calls one after the other. Hence one more call for each kill at most.
"""

import json
import random
import statistics
import time

import stored
from reader import Reader, facts, paragraphs
from summariser import Summariser
from wire import Connection

CONTEXT = 1024  # tokens: pieces of some 2 KB
FACTS = 40  # in paragraphs of 2 KB
NOTES = 400  # bytes of an answer: notes of 40 pieces take two levels of reduction before the last
PAUSES = (0.02, 0.12)  # seconds that an answer takes
PATIENCE = 120


def run(rig):
    rig.figure(f"seed {rig.seed}")
    plain = Trial(rig, "plain", kills=0)
    plain.run()
    rig.figure(f"{plain.chunks} pieces and {plain.made[1]} calls for notes without a kill")
    rig.must(plain.made == (plain.chunks, plain.made[1]), f"{plain.made} calls for {plain.chunks} pieces without a kill")
    rig.must(36 <= plain.chunks <= 44, f"the document has {plain.chunks} pieces, not about 40")
    for number in range(rig.size(1, 40)):
        trial = Trial(rig, f"run-{number}", kills=50, seed=rig.seed + number, plain=plain)
        trial.run()
        trial.judge()
    control = Trial(rig, "control", kills=50, plain=plain, between_lives=forget_the_steps)
    control.run()
    rig.control("steps deleted after each kill", sum(control.made), f"calls for {control.bound()}", control.too_many())


def forget_the_steps(service):
    """As if they had never been kept."""
    with stored.Database(service.database) as database:
        database.rows("DELETE FROM step")


class Trial:
    """One document, and many lives of the service on it."""

    def __init__(self, rig, name, kills, seed=None, plain=None, between_lives=lambda service: None):
        self.rig, self.folder, self.kills, self.plain = rig, rig.folder / name, kills, plain
        self.rng = random.Random(seed or rig.seed)
        self.between_lives = between_lives
        self.made = (0, 0)
        self.chunks = self.killed = self.killed_in_start = self.replays = 0
        self.is_over = False
        self.kept = []  # steps in the database after each life

    def run(self):
        with Reader(CONTEXT) as self.reader, Summariser(self.rig.binary, self.folder, self.reader) as self.service:
            self.reader.answer_bytes = NOTES
            self.reader.pause = lambda: random.uniform(*PAUSES)
            self.service.start()
            self.location = self.hand_in()
            for number in range(self.kills):
                if self.is_over:
                    break
                self.life(self.kills - number)
            if not self.service.alive:
                self.service.start()
            self.end()
        self.rig.must(not self.reader.unmarked, f"no document between two marks: {self.reader.unmarked[:1]}")
        self.rig.must(not self.reader.cut, f"{self.reader.cut} prompts were longer than their window")

    def hand_in(self):
        """Hands the document in, for the first time or again. Returns where the job is."""
        answer = self.service.hand_in("the-document", paragraphs(FACTS))
        self.rig.must(answer.good, f"handing it in: {answer.status} {answer.body!r}")
        self.replays += answer.replayed
        return answer.headers["Location"]

    def life(self, kills_left):
        """Start, work, kill."""
        self.killed += 1
        if self.rng.random() < 0.1:
            self.service.kill()
            self.service.spawn()
            time.sleep(self.rng.uniform(0, 0.05))
            self.killed_in_start += 1
        else:
            self.work(kills_left)
        self.service.kill()
        self.kept.append(self.service.steps())
        self.between_lives(self.service)

    def work(self, kills_left):
        if not self.service.alive:
            self.service.start()
        if self.rng.random() < 0.1:
            self.rig.must(self.hand_in() == self.location, "the same key has found another job")
        before = len(self.reader.calls)
        share = max(0, self.units() - (self.kept or [0])[-1]) / kills_left
        # In the first life calls may have begun before this.
        end = time.monotonic() + PATIENCE
        while not self.reader.wait_for_calls(before + 1, 0.5):
            self.is_over = self.service.job(self.location)["state"] not in ("queued", "running")
            if self.is_over or time.monotonic() > end:
                self.rig.must(self.is_over, f"no call came: {self.service.last_words()}")
                return
        time.sleep(self.rng.uniform(0, 2 * share * self.seconds_a_call()))

    def units(self):
        """Calls that the whole takes without a kill."""
        return sum(self.plain.made)

    def seconds_a_call(self):
        """What calls of the trial without kills took, from one to the next."""
        return self.plain.interval

    def end(self):
        """The job comes to its end, its result is read, and nothing is left over."""
        job = self.service.await_end(self.location, PATIENCE)
        self.rig.must(job["state"] == "succeeded", f"the job is {job['state']}: {job.get('last_error')}")
        with Connection(self.service.address) as connection:
            self.check_result(connection.ask("GET", f"{self.location}/result").json())
        self.made = self.reader.counts()
        times = [call.at for call in self.reader.calls]
        self.interval = statistics.median(late - soon for soon, late in zip(times, times[1:]))
        left = self.service.left_over()
        self.rig.must(not left, f"left over: {left}")

    def check_result(self, result):
        coverage = result.get("coverage", {})
        self.chunks = coverage.get("chunks", 0)
        missing = facts(FACTS) - set(result.get("summary", "").split())
        self.rig.must(not missing, f"{len(missing)} facts are not in the summary, {sorted(missing)[:3]} among them")
        for part, whole in (("chunks_summarised", "chunks"), ("bytes_summarised", "bytes")):
            self.rig.must(coverage.get(part) == coverage.get(whole), f"coverage: {json.dumps(coverage)}")

    def bound(self):
        """Most calls that there may be."""
        return self.chunks + self.plain.made[1] + self.killed

    def too_many(self):
        return sum(self.made) > self.bound()

    def judge(self):
        maps, reductions = self.made
        lives = f"{self.killed} kills, {self.killed_in_start} of them in the start"
        calls = f"{maps} calls for {self.chunks} pieces, {reductions} for their notes"
        barren = sum(late <= soon for soon, late in zip([0, *self.kept], self.kept))
        self.rig.figure(f"{lives}: {calls}, {sum(self.made)} of {self.bound()} allowed")
        self.rig.figure(f"{barren} lives without a step; handed in again {self.replays} times")
        self.rig.must(self.killed >= 40, f"the job ended after {self.killed} kills")
        self.rig.must(maps <= self.chunks + self.killed, f"{maps} calls for {self.chunks} pieces")
        self.rig.must(reductions <= self.plain.made[1] + self.killed, f"{reductions} calls for notes")
        self.rig.must(not self.too_many(), f"{sum(self.made)} calls, where there may be {self.bound()}")
