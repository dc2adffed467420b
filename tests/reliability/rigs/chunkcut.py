"""chunkcut: the power goes at any write of summaries that are made as jobs, and neither a job nor its document is lost.

The disk is put together anew as it was at many moments, as in `powercut`. A job's document lies beside the database, in a
file; both must be there from the job's acceptance on. A step is on the disk before the model is called for the next. Then
the service comes up on what is left and brings all jobs to their end, without calling the model for a step that was there.
"""

import random
import shutil
import sqlite3

import stored
from disk import MEBI, LoggedDisk, root
from reader import Reader, facts, paragraphs
from service import Died
from summariser import Summariser
from wire import Connection
from writelog import Cutter, WriteLog

DISK = 32 * MEBI
CONTEXT = 1024
FACTS = 12  # a document's, in as many pieces
JOBS = 8
PATIENCE = 60
UNFINISHED = (0, 1)  # states in the database: queued and running


def run(rig):
    rig.figure(f"seed {rig.seed}")
    night = Night(rig, rig.folder / "run")
    night.cut(rig.size(20, 400))
    for line in night.figures():
        rig.figure(line)
    for fault in night.faults:
        rig.must(False, fault)
    rig.must(night.unfinished > 0 and night.steps > 0, "no cut fell where jobs had steps: this rig proves nothing")
    control = Night(rig, rig.folder / "control", {"EDGEHOLD_TEST_SYNCHRONOUS": "OFF"})
    control.cut(20, to_the_end=False)
    rig.control("synchronous=OFF", len(control.faults), "faults")


class Document:
    """A document that is handed in, and what is known of its job."""

    def __init__(self, number):
        self.key, self.first = f"document-{number}", 1 + 100 * number
        self.text = paragraphs(FACTS, self.first)
        self.facts = facts(FACTS, self.first)
        self.accepted = None  # where in the log of writes its acceptance was seen
        self.ended = None  # and its end

    def calls(self, reader, moment=None):
        """The calls for it, up to that moment."""
        return sum(not self.facts.isdisjoint(call.facts) for call in reader.calls if moment is None or call.at <= moment)


class Night:
    """A run of the service on a logged disk, and the cuts of it."""

    def __init__(self, rig, folder, environment=None):
        self.binary, self.folder, self.environment = rig.binary, folder, environment
        self.rng = random.Random(rig.seed)
        self.documents = [Document(number) for number in range(JOBS)]
        self.faults = []
        self.cuts = self.checked = self.lost = self.unfinished = self.steps = self.called = self.whole = 0
        with LoggedDisk(folder, DISK) as disk:
            self.work(disk)
        self.log = WriteLog(disk.log)
        self.point = folder / "cut"
        self.point.mkdir()

    def work(self, disk):
        """Documents are handed in, two at a time, and their summaries made."""
        with self.reader(disk.entries) as self.asked, self.service("before", disk.path, self.asked) as service:
            service.start()
            self.begin = disk.entries()
            for number, document in enumerate(self.documents):
                answer = service.hand_in(document.key, document.text)
                document.location, document.accepted = answer.headers["Location"], disk.entries()
                if number % 2:
                    for one in self.documents[number - 1 : number + 1]:
                        job = service.await_end(one.location, PATIENCE)
                        one.ended = disk.entries()
                        self.must(job["state"] == "succeeded", f"before the cut: {job}")
            self.end = disk.entries()
            service.kill()

    def reader(self, *more):
        reader = Reader(CONTEXT, *more)
        reader.answer_bytes = 400
        return reader

    def service(self, name, place, reader):
        return Summariser(self.binary, self.folder / name, reader, {"concurrency": 2}, place / "queue.db", self.environment)

    def must(self, held, what):
        if not held:
            self.faults.append(what)

    def cut(self, cuts, to_the_end=True):
        """Looks at the disk as it was at random moments."""
        cutter = Cutter(self.log, DISK, self.rng, garbage=True)
        for moment in sorted(self.rng.randint(self.begin, self.end) for _ in range(cuts)):
            self.cuts += 1
            path = self.folder / "cut.img"
            path.write_bytes(cutter.image(moment))
            if root("mount", "-o", "loop", path, self.point, check=False) is None:
                root("e2fsck", "-f", "-y", path, check=False)
                root("mount", "-o", "loop", path, self.point)
            try:
                self.look(moment)
                if to_the_end:
                    self.go_on(moment)
            except (sqlite3.Error, Died) as error:
                self.faults.append(f"cut at {moment}: {error}")
            finally:
                root("umount", self.point)

    def look(self, moment):
        """Compares what is in the files with what was accepted."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in self.point.glob("queue.db*"):
            shutil.copy(file, copy)
        with stored.Database(copy / "queue.db") as database:
            rows = database.rows("SELECT id, state, steps, file FROM job JOIN more ON more.job = job.seq")
        have = {id: row for id, *row in rows}
        for document in self.documents:
            if document.accepted is not None and document.accepted <= moment:
                self.compare(document, have.get(document.location.rsplit("/", 1)[1]), moment)

    def compare(self, document, row, moment):
        self.checked += 1
        if row is None:
            self.lost += 1
            self.faults.append(f"cut at {moment}: {document.key}, accepted at {document.accepted}, is lost")
            return
        state, steps, name = row
        if state not in UNFINISHED:
            return
        self.must(document.ended is None or document.ended > moment, f"cut at {moment}: {document.key} has no end any more")
        self.unfinished += 1
        self.steps += steps
        made = document.calls(self.asked, moment)
        self.must(steps >= made - 1, f"cut at {moment}: {document.key} has {steps} steps after {made} calls")
        file = self.point / "documents" / f"job-{name}"
        is_whole = file.is_file() and file.read_text(errors="replace") == document.text
        self.must(is_whole, f"cut at {moment}: the file of {document.key} is lost or altered")

    def go_on(self, moment):
        """The service comes up, and all jobs come to their end."""
        accepted = [document for document in self.documents if document.accepted is not None and document.accepted <= moment]
        with self.reader() as reader, self.service("after", self.point, reader) as service:
            service.start()
            for document in accepted:
                job = service.await_end(document.location, PATIENCE)
                with Connection(service.address) as connection:
                    result = connection.ask("GET", f"{document.location}/result").json()
                missing = document.facts - set(result.get("summary", "").split())
                self.must(not missing, f"cut at {moment}: {document.key} is {job['state']}, {len(missing)} facts missing")
                again = document.calls(reader)
                self.called += again
                # At most the call that was under way is made twice.
                most = document.calls(self.asked) - document.calls(self.asked, moment) + 1
                self.must(again <= most, f"cut at {moment}: {document.key}: {again} more calls, {most} at most")
            left = service.left_over()
            self.must(not left, f"cut at {moment}: left over: {left}")
        self.whole += 1

    def figures(self):
        yield f"{self.cuts} cuts in {self.end - self.begin} writes and flushes"
        yield f"{JOBS} summaries accepted, {self.checked} checks of one, {self.lost} lost"
        yield f"{self.unfinished} of them not yet made, with {self.steps} steps kept and the document whole"
        yield f"{self.whole} times all were brought to their end, with {self.called} calls"
