"""powercut: the power goes at any write, and what the card was still busy with is lost, torn or garbage.

The service works on a disk that logs its writes; afterwards the disk is put together anew as it was at many moments, and
each time every job that had been accepted by then is looked for. Where a job's acceptance lies in the log is known from the
log's length when the answer was seen.
"""

import random
import threading

import stored
from client import Client
from disk import MEBI, LoggedDisk, root
from oracle import Oracle
from service import Service
from upstream import Upstream
from wire import Broken
from writelog import Cutter, WriteLog

CLIENTS = 4
DISK = 32 * MEBI


def run(rig):
    total = Findings()
    for number in range(rig.size(1, 33)):
        night = Night(rig, rig.folder / f"run-{number}", jobs=700, seed=rig.seed + number)
        total.add(night.cut(300, garbage=True, by_the_service=20))
        rig.blame(night.oracle, "before the cut: ")
    rig.figure(f"seed {rig.seed}")
    for line in total.figures():
        rig.figure(line)
    for fault in total.faults:
        rig.must(False, fault)
    rig.must(total.checked >= 50_000, f"only {total.checked} jobs were checked")
    controls(rig)


def controls(rig):
    """The same disk under a service that does not wait for it, or takes sectors to be written whole."""
    for what, environment, cuts, garbage, enough in (
        ("synchronous=OFF", {"EDGEHOLD_TEST_SYNCHRONOUS": "OFF"}, 20, False, None),
        ("synchronous=NORMAL", {"EDGEHOLD_TEST_SYNCHRONOUS": "NORMAL"}, 40, False, None),
        # Rare: a write has to come back as garbage that shares its sector with what was accepted before.
        ("psow=1 and garbage", {"EDGEHOLD_TEST_PSOW": "1"}, 1500, True, 1),
    ):
        night = Night(rig, rig.folder / what.replace(" ", "-"), jobs=300, seed=rig.seed, environment=environment)
        found = night.cut(cuts, garbage=garbage, enough_lost=enough)
        seen = f"of {found.checked} jobs lost, and {found.unreadable} databases unreadable, in {found.cuts} cuts"
        rig.control(what, found.lost, seen, found.lost + found.unreadable)


class Findings:
    """What all cuts together showed."""

    def __init__(self):
        self.cuts = self.checked = self.lost = self.unreadable = self.repaired = self.by_the_service = self.results = 0
        self.accepted = self.entries = 0
        self.damage = {"lost": 0, "torn": 0, "garbage": 0}
        self.faults = []

    def add(self, other):
        for name, value in vars(other).items():
            if isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
        self.damage = {name: times + other.damage[name] for name, times in self.damage.items()}
        self.faults += other.faults

    def figures(self):
        yield f"{self.cuts} cuts in {self.entries} writes and flushes"
        yield "writes {lost} lost, {torn} torn, {garbage} garbage".format(**self.damage)
        yield f"{self.accepted} jobs accepted, {self.checked} checks of one, {self.lost} lost"
        yield f"{self.results} results that had been read were checked"
        yield f"{self.repaired} file systems repaired, {self.unreadable} databases unreadable"
        yield f"{self.by_the_service} cuts looked at by the service itself"


class Night:
    """A run of the service on a logged disk, and the cuts of it."""

    def __init__(self, rig, folder, jobs, seed, environment=None):
        self.binary, self.folder, self.environment = rig.binary, folder, environment
        self.rng = random.Random(seed)
        self.oracle = Oracle(seed)
        self.wanted = jobs
        with LoggedDisk(folder, DISK) as disk, Upstream() as self.upstream:
            self.work(disk)
        self.log = WriteLog(disk.log)
        self.point = folder / "cut"
        self.point.mkdir()

    def work(self, disk):
        """Clients hand jobs in until there are enough, read results and delete some."""
        self.upstream.answer_bytes = 300
        with Service(self.binary, self.folder, self.upstream, database=disk.path / "queue.db", environment=self.environment) as service:
            service.start()
            self.begin = disk.entries()
            threads = [threading.Thread(target=self.hand_in, args=(service, disk, number)) for number in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.end = disk.entries()
            service.kill()

    def hand_in(self, service, disk, number):
        rng = random.Random(self.rng.random() + number)
        own = []
        with Client(service.address, self.oracle, self.upstream, clock=disk.entries) as client:
            try:
                while self.oracle.counts["accepted"] < self.wanted:
                    own.append(self.oracle.mint(rng.randint(700, 4096)))
                    client.create(own[-1])
                    job = rng.choice(own)
                    if rng.random() < 0.5 and job.owed and client.read_result(job) == 200 and rng.random() < 0.3:
                        client.delete(job)
            except Broken as broken:
                self.oracle.blame(str(broken))

    def cut(self, cuts, garbage, by_the_service=0, enough_lost=None):
        """Looks at the disk as it was at random moments, until something is lost where that is enough."""
        found = Findings()
        found.accepted, found.entries = self.oracle.counts["accepted"], self.end - self.begin
        every = cuts // by_the_service if by_the_service else cuts + 1

        def enough():
            return enough_lost is not None and found.lost + found.unreadable >= enough_lost

        # Many cuts are made in rounds over the log, each in rising order.
        while found.cuts < cuts and not enough():
            cutter = Cutter(self.log, DISK, self.rng, garbage)
            for moment in sorted(self.rng.randint(self.begin, self.end) for _ in range(min(100, cuts - found.cuts))):
                self.look(found, cutter.image(moment), moment, found.cuts % every == every - 1)
                if enough():
                    break
            found.damage = {name: times + cutter.damage[name] for name, times in found.damage.items()}
        return found

    def look(self, found, image, moment, by_the_service):
        """Mounts one image and looks for everything that was owed at that moment."""
        found.cuts += 1
        path = self.folder / "cut.img"
        path.write_bytes(image)
        if root("mount", "-o", "loop", path, self.point, check=False) is None:
            found.repaired += 1
            root("e2fsck", "-f", "-y", path, check=False)
            root("mount", "-o", "loop", path, self.point)
        try:
            found.by_the_service += by_the_service
            looks = self.by_the_service if by_the_service else self.by_the_file
            self.compare(found, looks(), moment)
        except stored.Unreadable as error:
            found.unreadable += 1
            found.faults.append(f"cut at {moment}: {error}")
        finally:
            root("umount", self.point)

    def compare(self, found, have, moment):
        """`have` is what is stored, by id; a payload is there until there is a result, and then need not be."""
        for job in self.oracle.jobs.values():
            if job.accepted is None or job.accepted > moment or (job.deleting is not None and job.deleting < moment):
                continue
            found.checked += 1
            if job.id not in have:
                found.lost += 1
                found.faults.append(f"cut at {moment}: {job.id}, accepted at {job.accepted}, is lost")
                continue
            payload, result = have[job.id].payload, have[job.id].result
            if payload is not None and job.prompt.encode() not in payload:
                found.faults.append(f"cut at {moment}: {job.id} has another payload")
            if job.result_read is not None and job.result_read <= moment:
                found.results += 1
                if job.result not in (result or b""):
                    found.faults.append(f"cut at {moment}: {job.id} has another result, or none")

    def by_the_file(self):
        return stored.read(self.point / "queue.db")

    def by_the_service(self):
        """What the service makes of the image: it has to come up, and to show everything."""
        oracle = Oracle()
        with Upstream() as upstream:
            upstream.gate.clear()
            with Service(self.binary, self.folder / "after", upstream, database=self.point / "queue.db", environment=self.environment) as service:
                service.start()
                with Client(service.address, oracle) as client:
                    have = {}
                    for id, shown in client.list().items():
                        answer = client.connection.ask("GET", f"/v1/jobs/{id}/result")
                        have[id] = stored.Stored(None, answer.body if shown["state"] == "succeeded" else None)
                    return have
