"""inject: the N-th write or sync of the service fails, or is the last thing that it does, for N from 1 on.

strace makes the call fail. Whatever fails, what was accepted stays, creates are answered 2xx, 429 or 503, and the service
takes jobs again once the disk does: unaided where it is still up, else after a restart.
"""

import concurrent.futures
import shutil
import time
from dataclasses import dataclass

from client import Client
from oracle import Oracle
from service import Died, Service
from upstream import Upstream
from wire import Broken

WRITE, SYNC = "pwrite64", "fdatasync,fsync"
JOBS = 60  # that are handed in at most
PATIENCE = 60  # seconds for the service to take jobs again
BURST = 3  # calls that fail in a row: after each the service waits twice as long until it opens its database again
LANES = 4  # runs at once: mostly they wait


def run(rig):
    total = Totals()
    last = rig.size(100, 400)
    steps = [(WRITE, "signal=KILL", "{}", 1), (SYNC, "signal=KILL", "{}", 1)]
    for error in ("EIO", "ENOSPC"):
        for call in (WRITE, SYNC):
            steps += [(call, f"error={error}", "{}", 1), (call, f"error={error}", "{}..{}", rig.size(8, 1))]
    faults = [
        Fault(call, what, when.format(number, number + BURST - 1))
        for call, what, when, step in steps
        for number in range(1, last + 1, step)
    ]
    with Upstream() as upstream, concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        trial = lambda numbered: Trial(rig, upstream, *numbered).run(total)
        list(lanes.map(trial, enumerate(faults)))
        for line in total.figures():
            rig.figure(line)
        rig.faults += total.wrong[:10]
        rig.must(not total.wrong, f"{len(total.wrong)} wrongs in all")
        rig.must(total.counts["hit"] * 4 >= total.counts["runs"], "most faults were never met")
        control(rig, upstream, len(faults))


def control(rig, upstream, number):
    """Writes that say they were done and were not."""
    found = Totals()
    Trial(rig, upstream, number, Fault(WRITE, "retval=4096", "30+")).run(found)
    rig.control("writes that are not done", found.counts["lost"], "lost")


@dataclass
class Fault:
    """Which call goes wrong, how, and when."""

    calls: str
    what: str
    when: str

    def wrap(self, log):
        inject = f"inject={self.calls}:{self.what}:when={self.when}"
        # A filter in the kernel spares the calls that are not traced their stops; with it signals are not injected.
        fast = [] if "signal" in self.what else ["--seccomp-bpf"]
        return ["strace", "-D", "-f", *fast, "-qq", "-o", log, "-e", f"trace={self.calls}", "-e", inject]

    def __str__(self):
        return f"{self.calls} {self.what} at {self.when}"


class Totals:
    """What all runs together showed."""

    def __init__(self):
        self.counts = {"runs": 0, "hit": 0, "died": 0, "accepted": 0, "refused": 0, "lost": 0, "altered": 0, "quarantined": 0}
        self.healing = 0.0
        self.wrong = []

    def figures(self):
        yield "{runs} runs, {hit} of them hit, {died} died of it".format(**self.counts)
        yield "{accepted} accepted, {refused} refused, {lost} lost, {altered} altered, {quarantined} quarantined".format(**self.counts)
        yield f"jobs taken again within {self.healing:.1f} s where it stayed up"


class Trial:
    """One run with one fault."""

    def __init__(self, rig, upstream, number, fault):
        self.upstream, self.fault = upstream, fault
        self.oracle = Oracle(number)
        self.log = rig.folder / f"{number}.strace"
        self.service = Service(rig.binary, rig.folder / str(number), upstream)
        self.healing = 0.0
        self.quarantined = 0

    def run(self, total):
        with self.service:
            died = not self.under_fault()
            self.service.kill()
            self.after()
        hit = died or "INJECTED" in self.log.read_text()
        counts = {"runs": 1, "hit": hit, "died": died, "quarantined": self.quarantined} | self.oracle.counts
        for name in total.counts:
            total.counts[name] += counts.get(name, 0)
        total.healing = max(total.healing, self.healing)
        total.wrong += [f"{self.fault}: {what}" for what in self.oracle.wrong[:3]]
        if not self.oracle.wrong:
            shutil.rmtree(self.service.folder)

    def under_fault(self):
        """Works until all jobs are handed in or the service is no more. Returns whether it is still up."""
        try:
            self.service.start(self.fault.wrap(self.log))
            with Client(self.service.address, self.oracle, self.upstream) as client:
                self.work(client)
                if "error" in self.fault.what:
                    self.heal(client)
            return True
        except (Broken, Died):
            # It may end itself when its disk fails; it must not hang.
            if not self.service.ends_within(5):
                self.oracle.blame(f"it is up and does not answer: {self.service.last_words()}")
            return False

    def work(self, client):
        for number in range(JOBS):
            job = self.oracle.mint(200 + 20 * number)
            client.create(job)
            if number % 3 == 2 and job.owed and client.read_result(job) == 200 and number % 2:
                client.delete(job)

    def heal(self, client):
        """The fault is over, or soon will be: jobs are taken again."""
        began = time.monotonic()
        while not client.create(self.oracle.mint(100)).good:
            if time.monotonic() - began > PATIENCE:
                return self.oracle.blame(f"no job is taken {PATIENCE} s after the fault: {client.status()}")
            time.sleep(0.02)
        self.healing = time.monotonic() - began

    def after(self):
        """A start without the fault: everything is there and comes to its end."""
        try:
            self.service.start()
            with Client(self.service.address, self.oracle, self.upstream) as client:
                self.oracle.check_shown(client.list())
                shown = client.drain(PATIENCE)
                for job in self.oracle.owed():
                    if job.id in shown:
                        self.check_end(client, job, shown[job.id])
        except (Broken, Died) as error:
            self.oracle.blame(f"no restart: {error}")

    def check_end(self, client, job, shown):
        if shown["state"] == "succeeded":
            client.read_result(job)
        elif (shown["last_error"] or {}).get("code") == "quarantined":
            self.quarantined += 1
        elif not job.cancelled:
            self.oracle.blame(f"{job.id} ended as {shown['state']}: {shown['last_error']}")
