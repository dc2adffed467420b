"""flip: bits of the database change while the service does not run. It starts, and never serves what is not so.

What a flipped bit hit may be gone; it must not be wrong. A job is either whole, or corrupt, or not there. A bit in the
log takes with it what the log held from there on, as if it had been torn off: a job whose end stood there is done again.
"""

import concurrent.futures
import random
import shutil

import prompts
from client import Client, unfinished
from oracle import Oracle
from service import Died, Service
from upstream import Upstream
from wire import Broken

FINISHED, WAITING = 20, 12
MOST_FLIPS = 64
ENOUGH = 30  # wrongs after which there is no need for more


def run(rig):
    images = rig.size(200, 5000)
    with Upstream() as upstream:
        originals = [Original(rig, upstream, how) for how in ("stopped", "killed")]
        total = Totals()

        def one(number):
            if len(total.wrong) < ENOUGH:
                Image(rig, upstream, number, originals[number % 2]).run(total)

        with concurrent.futures.ThreadPoolExecutor(2) as two:
            list(two.map(one, range(images)))
        rig.figure(f"seed {rig.seed}; {total.counts['images']} images")
        rig.figure(", ".join(f"{times} {what}" for what, times in total.counts.items() if what != "images"))
        rig.faults += total.wrong[:10]
        # A flip may have moved a job's time into next year, or changed what it waits for.
        rig.must(total.counts["waiting"] * 20 <= images, "too many jobs wait on")
        rig.must(total.counts["left alone"] * 50 <= images, "too many databases were left alone")
        rig.must(not upstream.altered, f"{len(upstream.altered)} payloads that nobody sent were executed")
        controls(rig, upstream, originals, total)


def controls(rig, upstream, originals, total):
    """The flips do damage; and a result that is not the one remembered is noticed."""
    rig.control("damage by flips", total.counts["set aside"] + total.counts["corrupt"] + total.counts["gone"], "seen")
    found = Totals()
    for number, original in enumerate(originals):
        image = Image(rig, upstream, -1 - number, original, flips=0)
        first, second, *_ = image.oracle.jobs.values()
        first.result = first.result.replace(b'"stop"', b'"stap"')
        second.prompt = prompts.prompt(second.name, 100)
        image.run(found)
    rig.control("a byte altered, and a result of another job, twice each", len(found.wrong), "noticed", len(found.wrong) == 4)


class Totals:
    """What all images together showed."""

    def __init__(self):
        kinds = ("images", "whole", "unharmed", "corrupt", "gone", "set aside", "left alone", "waiting", "results read", "jobs run", "done again", "wrong")
        self.counts = dict.fromkeys(kinds, 0)
        self.wrong = []

    def count(self, what, times=1):
        self.counts[what] += times

    def blame(self, what):
        self.count("wrong")
        self.wrong.append(what)


class Original:
    """A database with jobs that have ended and jobs that wait, as a stop or a kill leaves it."""

    def __init__(self, rig, upstream, how):
        self.oracle = Oracle(rig.seed + len(how), jobs={})
        self.has_log = how == "killed"
        with Service(rig.binary, rig.folder / how, upstream) as service:
            service.start()
            with Client(service.address, self.oracle, upstream) as client:
                for job in [self.oracle.mint(random.Random(number).randint(100, 6000)) for number in range(FINISHED)]:
                    client.create(job)
                client.drain()
                for job in self.oracle.owed():
                    client.read_result(job)
                upstream.gate.clear()
                for _ in range(WAITING):
                    client.create(self.oracle.mint(1500))
            service.stop() if how == "stopped" else service.kill()
        upstream.gate.set()
        self.folder = service.database.parent
        self.files = {path.name: path.read_bytes() for path in self.folder.glob("queue.db*") if path.stat().st_size}


class Image:
    """A copy of the database in which some bytes have changed."""

    def __init__(self, rig, upstream, number, original, flips=None):
        self.rng = random.Random(rig.seed * 100_000 + number)
        self.upstream, self.number, self.original = upstream, number, original
        self.flips = self.rng.randint(1, MOST_FLIPS) if flips is None else flips
        self.folder = rig.folder / f"image{number}"
        self.service = Service(rig.binary, self.folder, upstream, {"concurrency": 8})
        self.oracle = Oracle(0)
        # The oracle's own copies: each image has its own first results.
        self.oracle.jobs = {job.id: type(job)(**vars(job)) for job in original.oracle.jobs.values()}

    def run(self, total):
        total.count("images")
        self.write()
        try:
            with self.service:
                self.service.start()
                with Client(self.service.address, self.oracle, self.upstream) as client:
                    self.look(client, total)
                if not self.service.alive:
                    total.blame(f"image {self.number}: it ended: {self.service.last_words()}")
        except (Broken, Died) as error:
            total.blame(f"image {self.number}: {error}")
        for what in self.oracle.wrong:
            total.blame(f"image {self.number}: {what}")
        if not self.oracle.wrong:
            shutil.rmtree(self.folder)

    def write(self):
        """Flips bytes anywhere in the database and its log; the ballast and the lock have nothing to lose."""
        files = {name: bytearray(data) for name, data in self.original.files.items()}
        targets = [name for name in files if name in ("queue.db", "queue.db-wal")]
        for _ in range(self.flips):
            data = files[self.rng.choices(targets, [len(files[name]) for name in targets])[0]]
            data[self.rng.randrange(len(data))] ^= self.rng.randint(1, 255)
        for name, data in files.items():
            (self.service.database.parent / name).write_bytes(data)

    def look(self, client, total):
        """Lists everything, lets everything run, and reads every result that is served."""
        if "has version" in (client.status()["why"] or ""):
            # One byte makes it the database of a later version, which is left as it is.
            total.count("left alone")
            return
        shown = client.settled()
        waiting = len(unfinished(shown))
        total.count("waiting", waiting)
        self.check_strangers(client, shown)
        known = [job for job in self.oracle.jobs.values() if job.id in shown]
        served = corrupt = 0
        for job in known:
            had = job.result
            answer = client.connection.ask("GET", f"/v1/jobs/{job.id}/result")
            if answer.status == 200:
                if had and self.original.has_log and prompts.answer_text(answer.body) != prompts.answer_text(had):
                    # Whether it is an answer that was given is looked at all the same.
                    job.result = None
                    total.count("done again")
                self.oracle.check_result(job, answer.body, self.upstream)
                served += 1
                total.count("results read" if had else "jobs run")
            elif answer.status == 500:
                corrupt += 1
        self.look_aside(client, total)
        gone = len(self.oracle.jobs) - len(known)
        total.count("corrupt", corrupt)
        total.count("gone", gone)
        total.count("whole", served)
        total.count("unharmed", served == len(self.oracle.jobs))

    def check_strangers(self, client, shown):
        """A flip may change a name in the list; it must not hand anything out under that name."""
        known = {job.id for job in self.oracle.jobs.values()}
        for id in shown.keys() - known:
            answer = client.connection.ask("GET", f"/v1/jobs/{id}/result")
            if answer.status == 200:
                self.oracle.blame(f"{id}, which nobody made, has the result {answer.body[:120]!r}")

    def look_aside(self, client, total):
        """A database that cannot be read stays where somebody can look at it, and /status says where."""
        aside = [path.name for path in self.service.database.parent.glob("*damaged*") if not path.name.endswith("-wal")]
        if aside:
            total.count("set aside")
            told = str(client.status())
            if not all(name in told for name in aside):
                total.blame(f"image {self.number}: {aside} set aside, and /status says {told}")
