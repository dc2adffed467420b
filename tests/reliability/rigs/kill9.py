"""kill9: the process dies at any instant under eight busy clients, again and again, and nothing it accepted is lost.

A page that was written is safe from a SIGKILL without any fsync, so this says nothing about power cuts: `powercut` does.
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
MANNERS = ("put", "put", "put", "post", "prefer")
STOP_EVERY = 20  # lives, of which the last ends as an init system ends it
BATCH = 20  # deletions that are written together
ENOUGH = 12  # jobs that a client has at once; with more than these it reads and deletes


def run(rig):
    cycles = rig.size(1000, 10000)
    rig.figure(f"seed {rig.seed}")
    trial = Trial(rig, rig.folder / "run")
    trial.run(cycles)
    for line in trial.figures(cycles):
        rig.figure(line)
    rig.blame(trial.oracle)
    control = Trial(rig, rig.folder / "control", between_lives=forget_the_log)
    control.run(25)
    rig.control("the write-ahead log gone after each kill", control.oracle.counts["lost"], "lost")


def forget_the_log(service):
    """As if the answers had gone out before the jobs were written."""
    service.database.with_name(service.database.name + "-wal").unlink(missing_ok=True)


class Trial:
    """One database, and many lives of the service on it."""

    def __init__(self, rig, folder, between_lives=lambda service: None):
        self.rng = random.Random(rig.seed)
        self.oracle = Oracle(rig.seed)
        self.binary, self.folder, self.between_lives = rig.binary, folder, between_lives
        self.ready = []  # seconds
        self.gone = []  # jobs that were deleted in this life: less than a batch of them may come back
        self.returned = []  # those that came back, and are to be deleted again
        self.stopped = False  # whether the life ended in good order
        self.most_returned = 0
        self.killed_in_start = 0

    def run(self, cycles):
        with Upstream() as self.upstream:
            self.upstream.pause = lambda: random.uniform(0, 0.004)
            self.upstream.fault = lambda job: 500 if random.random() < 0.02 else None
            with Service(self.binary, self.folder, self.upstream, {"concurrency": 4}) as self.service:
                self.devices = [Device(self, number) for number in range(CLIENTS)]
                for number in range(1, cycles + 1):
                    self.life(stops=number % STOP_EVERY == 0)
                    self.between_lives(self.service)
                self.last_life()
        self.oracle.check_upstream(self.upstream)

    def life(self, stops):
        """Start, check, work, kill."""
        if not stops and self.rng.random() < 0.1:
            self.service.spawn()
            time.sleep(self.rng.uniform(0, 0.05))
            self.service.kill()
            self.killed_in_start += 1
            return
        self.ready.append(self.service.start())
        self.check(delete_again=stops)
        self.resting = False
        threads = [threading.Thread(target=device.work) for device in self.devices]
        for thread in threads:
            thread.start()
        time.sleep(self.rng.uniform(0, 0.05))
        if not stops:
            self.service.kill()
        self.resting = True
        for thread in threads:
            thread.join()
        if stops:
            self.service.stop()
            self.stopped = True

    def check(self, delete_again=False):
        """Everything that is owed is there, and nothing that was never made."""
        with Client(self.service.address, self.oracle) as client:
            shown = client.list()
            self.oracle.check_shown(shown)
            nameless = [job for job in self.oracle.jobs.values() if job.id is None]
            self.oracle.check_strangers(shown, len(nameless))
            self.check_gone(client, shown, delete_again)

    def check_gone(self, client, shown, delete_again):
        """Deletions are written in batches: a kill may undo less than one of them, and a stop none."""
        back = [job for job in self.gone if job.id in shown]
        if len(back) >= (1 if self.stopped else BATCH):
            how = "stop" if self.stopped else "kill"
            self.oracle.blame(f"{len(back)} deleted jobs are back after a {how}, {back[0].id} among them")
        self.most_returned = max(self.most_returned, len(back))
        self.gone, self.stopped = [], False
        self.returned += back
        if delete_again:
            for job in self.returned:
                client.connection.ask("DELETE", f"/v1/jobs/{job.id}")
            self.gone, self.returned = self.returned, []

    def last_life(self):
        """What was left in the middle is settled, all jobs come to their end, and every result is read once more."""
        self.service.start()
        self.check()
        for device in self.devices:
            device.settle_all()
        with Client(self.service.address, self.oracle, self.upstream) as client:
            shown = client.drain(120)
            self.oracle.check_shown(shown)
            for job in self.oracle.owed():
                if job.id in shown:
                    self.check_end(client, job, shown[job.id])

    def check_end(self, client, job, shown):
        """How a job may end here: with its result, cancelled, or visibly given up."""
        match shown["state"]:
            case "succeeded":
                client.read_result(job)
            case "cancelled" if job.cancelled:
                pass
            case "failed" if (shown["last_error"] or {}).get("code") == "quarantined":
                self.oracle.count("quarantined")
            case "failed" if shown["attempts"] >= 5:
                self.oracle.count("out of attempts")
            case other:
                self.oracle.blame(f"{job.id} ended as {other}: {shown['last_error']}")

    def figures(self, cycles):
        counts = self.oracle.counts
        yield f"{cycles} cycles ({self.killed_in_start} killed in the start, {cycles // STOP_EVERY} stopped)"
        yield ", ".join(f"{counts[what]} {what}" for what in ("accepted", "lost", "altered", "duplicates"))
        yield f"{counts['results']} results, {counts['second results']} second ones"
        yield f"{counts['replays']} creates repeated, {counts['other bodies']} with another body refused"
        yield f"{counts['deleted']} deleted, {self.most_returned} at most undone by a kill; {counts['cancelled']} cancelled"
        yield f"{counts['quarantined']} quarantined, {counts['out of attempts']} out of attempts"
        yield f"at most {max(self.upstream.calls.values(), default=0)} calls for a job"
        self.ready.sort()
        yield f"ready in {self.ready[len(self.ready) // 2] * 1000:.0f} ms (median), {self.ready[-1] * 1000:.0f} ms at most"


class Device:
    """A client with jobs of its own; it never gives up a job that it does not know the end of."""

    def __init__(self, trial, number):
        self.trial, self.oracle = trial, trial.oracle
        self.rng = random.Random(trial.rng.random() + number)
        self.unsettled = []  # jobs whose create was not answered
        self.leaving = []  # jobs whose deletion was not answered
        self.jobs = []

    def work(self):
        """Goes on until the service is no more."""
        with Client(self.trial.service.address, self.oracle, self.trial.upstream) as client:
            try:
                self.settle(client)
                while not self.trial.resting:
                    self.step(client)
            except Broken:
                return

    def settle_all(self):
        with Client(self.trial.service.address, self.oracle, self.trial.upstream) as client:
            self.settle(client)

    def settle(self, client):
        """Finds out what became of what had no answer: by asking for the same again."""
        while self.unsettled and client.create(self.unsettled[-1]).good:
            self.jobs.append(self.unsettled.pop())
        while self.leaving:
            job = self.leaving[-1]
            shown = client.look(job)
            if shown is None:
                job.deleted = True
            else:
                job.cancelled, job.deleting = job.cancelled or shown.get("state") == "cancelled", None
                self.jobs.append(job)
            self.leaving.pop()

    def step(self, client):
        chance = self.rng.random()
        if not self.jobs or (chance < 0.45 and len(self.jobs) < ENOUGH):
            self.create(client)
        elif chance < 0.55:
            self.oracle.count("replays")
            client.create(self.rng.choice(self.jobs))
        elif chance < 0.6:
            client.create_other(self.rng.choice(self.jobs))
        elif chance < 0.8:
            client.read_result(self.rng.choice(self.jobs))
        else:
            self.delete(client)

    def create(self, client):
        job = self.oracle.mint(self.rng.randint(100, 3000), manner=self.rng.choice(MANNERS))
        self.unsettled.append(job)
        if client.create(job).good:
            self.jobs.append(job)
        self.unsettled.pop()

    def delete(self, client):
        """Mostly what it has the result of; now and then what is still to be done."""
        finished = [job for job in self.jobs if job.result is not None or job.cancelled]
        if not finished and self.rng.random() < 0.8:
            client.read_result(self.rng.choice(self.jobs))
            return
        job = self.rng.choice(finished or self.jobs)
        self.jobs.remove(job)
        self.leaving.append(job)
        client.delete(job)
        self.leaving.pop()
        if job.deleted:
            self.trial.gone.append(job)
        else:
            job.deleting = None
            self.jobs.append(job)
