"""idempotency: the same jobs are handed in again and again over connections that break, by eight clients at once.

However often a key comes, and whether or not its answers arrive: there is one job, and one result that everybody gets.
"""

import random
import threading
import time

from client import Client
from oracle import Oracle
from service import Service
from upstream import Upstream
from wire import Broken

CLIENTS = 8
MANNERS = ("put", "post", "prefer")


def run(rig):
    creates = rig.size(10_000, 200_000)
    trial = Trial(rig, "run", creates, creates // 5)
    trial.run(kills=5)
    for line in trial.figures():
        rig.figure(line)
    rig.blame(trial.oracle)
    control = Trial(rig, "control", 300, 60, fresh_names=True)
    control.run(kills=0)
    rig.control("a new key for every retry", control.twins(), "made twice")


class Trial:
    """Some jobs, and creates of them in any order from all clients."""

    def __init__(self, rig, name, creates, jobs, fresh_names=False):
        self.rng = random.Random(rig.seed)
        self.folder = rig.folder / name
        self.binary, self.creates, self.fresh_names = rig.binary, creates, fresh_names
        self.oracle = Oracle(rig.seed)
        self.jobs = [self.oracle.mint(150, manner=self.rng.choice(MANNERS)) for _ in range(jobs)]
        self.done = 0
        self.ids = {}  # every id that was told, by the job's name

    def run(self, kills):
        queue = {"max_jobs": 2 * self.creates, "quota": "64MiB", "concurrency": 4}
        with Upstream() as self.upstream, Service(self.binary, self.folder, self.upstream, queue) as self.service:
            self.service.start()
            threads = [threading.Thread(target=self.client, args=(number,)) for number in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for number in range(kills):
                self.wait_for((number + 1) * self.creates // (kills + 1), threads)
                self.service.kill()
                self.service.start()
            for thread in threads:
                thread.join()
            self.settle()

    def wait_for(self, creates, threads):
        while self.done < creates and any(thread.is_alive() for thread in threads):
            time.sleep(0.01)

    def client(self, number):
        """Hands random jobs in; many connections end before the answer, some before the request does."""
        rng = random.Random(self.rng.random() + number)
        with Client(self.service.address, self.oracle, self.upstream) as client:
            while self.done < self.creates:
                job = rng.choice(self.jobs)
                try:
                    self.hand_in(client, job, rng)
                except Broken:
                    self.oracle.count("broken")
                self.done += 1

    def hand_in(self, client, job, rng):
        chance = rng.random()
        if chance < 0.3:
            self.cut_off(client, job, rng)
        elif chance < 0.35 and job.accepted is not None:
            client.create_other(job)
        elif chance < 0.45 and job.accepted is not None:
            client.read_result(job)
        elif self.fresh_names:
            self.send_under_a_new_name(client, job)
        else:
            client.create(job)

    def cut_off(self, client, job, rng):
        """A request whose connection is reset at once, or a little later, without a look at the answer."""
        self.oracle.count("resets")
        client.connection.send(*client.request(job))
        if rng.random() < 0.7:
            time.sleep(rng.uniform(0, 0.004))
        client.connection.reset()

    def send_under_a_new_name(self, client, job):
        """What a client without keys does: each try is a job of its own."""
        answer = client.connection.ask("POST", "/v1/jobs", job.body())
        if answer.good:
            self.oracle.count("nameless")

    def settle(self):
        """Every job is handed in once more, ends, and gives its result; then there is one for each, and no other."""
        with Client(self.service.address, self.oracle, self.upstream) as client:
            if not self.fresh_names:
                for job in self.jobs:
                    client.create(job)
            shown = client.drain(120)
            self.shown = len(shown)
            if not self.fresh_names:
                self.oracle.check_shown(shown)
                self.oracle.check_strangers(shown)
                for job in self.oracle.owed():
                    self.check_end(client, job, shown.get(job.id, {}))

    def check_end(self, client, job, shown):
        """It has a result, or was running in three of the kills and is visibly given up."""
        if (shown.get("last_error") or {}).get("code") == "quarantined":
            self.oracle.count("quarantined")
        else:
            client.await_result(job)

    def twins(self):
        """Jobs beyond one for each."""
        return max(0, self.shown - len(self.jobs))

    def figures(self):
        counts = self.oracle.counts
        yield f"{self.done} creates of {len(self.jobs)} jobs, {counts['resets']} connections reset"
        yield f"{self.twins() + counts['duplicates']} duplicates, {counts['lost']} lost, {counts['altered']} altered"
        yield f"{counts['other bodies']} other bodies refused, {counts['second results']} second results, {counts['quarantined']} quarantined"
