"""The power goes at random moments under load, and the card loses, tears or garbles what no flush had covered.

What must hold after each cut, by an account that is kept outside of the board: every job whose 202 was seen whole is there,
with the same body and the same result; no job is there twice, and none that nobody made; another body under its name is
refused; a job that was let go comes back only where that was in the last moments before the cut; no job is called for more
than 5 times. In the end all jobs have ended. Then as many jobs as a queue may have (10,000; 2,000 in CI) wait over a cut.

The control is a card that lies: half of what it had confirmed is gone. EDGEHOLD_CUTS sets the number of cuts (3 in CI, 200 in
the soak), EDGEHOLD_SEED repeats the lot that was drawn; when the guest is where is not repeated by it.
"""

import os
import random
import secrets
import threading
import time

from board import HOST_NAME, TOKEN, UNIT, Board
from client import Client
from cuts import LoggedState
from load import Load, Size
from oracle import Oracle
from wire import Broken as Gone
from wire import Connection

OPTIONS = {}
FIELDS = {"Host": HOST_NAME, "Authorization": f"Bearer {TOKEN}"}
CUTS, NIGHT = 3, 200
CLIENTS = 4
LOOKS = 40  # jobs that are looked at one by one after each cut, besides the list of all


def scenario(board):
    lies = getattr(board, "lies", False)
    cuts = int(os.environ.get("EDGEHOLD_CUTS") or (NIGHT if board.rig.soak else CUTS))
    seed = int(os.environ.get("EDGEHOLD_SEED") or secrets.randbits(32))
    board.fact(seed=seed)
    life = Life(board, seed, lies)
    life.prepare()
    try:
        for number in range(1 if lies else cuts):
            life.once(number)
        life.settle()
    finally:
        board.fact(**life.facts())
    backlog(board, life)


def sabotage(board):
    """A card that loses what it has confirmed."""
    board.lies = True


class Lan(Connection):
    """A connection whose requests bear what the board wants to see."""

    def send(self, method, path, body=None, headers=None):
        super().send(method, path, body, FIELDS | (headers or {}))


class Life:
    """The board from cut to cut, and what it owes."""

    def __init__(self, board: Board, seed: int, lies: bool):
        self.board, self.lies = board, lies
        self.rng = random.Random(seed)
        self.oracle = Oracle(seed)
        self.disk = LoggedState(board, self.rng)
        self.cuts = self.in_start = self.looked_at = self.worked_last = 0
        self.let_go_in: dict[str, int] = {}  # by id: the life in which a job was let go
        self.undone: set[str] = set()  # jobs of which something was forgotten: they may be called for again

    def client(self) -> Client:
        client = Client(("127.0.0.1", self.board.port), self.oracle, self.board.cloud, clock=self.disk.now)
        client.connection = Lan(("127.0.0.1", self.board.port), patience=300)
        return client

    def prepare(self):
        """The cloud answers the jobs, since it keeps its count of calls over the cuts."""
        config = self.board.config.replace('["local/small", "cloud/big"]', '["cloud/big"]')
        self.board.configure(config + "[queue]\nconcurrency = 4\n")
        self.board.shutdown()

    def once(self, number: int):
        """A boot, a look at everything that is owed, some work, and a cut."""
        if self.rng.random() < 0.2 and not self.lies:
            self.boot(lambda: time.sleep(self.rng.uniform(0, 15)))
            self.in_start += 1
        else:
            self.boot(self.board.until_ready)
            self.look(number)
            self.work(number)
        self.board.cut()
        self.forget(self.disk.replay(self.lies))
        self.cuts += 1

    def forget(self, moment: int):
        """What clients saw after the moment of the cut has not happened."""
        for job in self.oracle.jobs.values():
            if max(job.accepted or 0, job.result_read or 0, job.deleting or 0) > moment:
                self.undone.add(job.name)
            if job.accepted is not None and job.accepted > moment:
                job.accepted = None
            if job.result_read is not None and job.result_read > moment:
                job.result = job.result_read = None
            if job.deleting is not None and job.deleting > moment:
                job.deleting, job.deleted = None, False

    def boot(self, then):
        """The guest mounts the disk as it is; where it cannot, the file system is repaired first, as a board does."""
        self.disk.arm()
        self.board.boot()
        if "mounting /dev/vdb" in self.board.console(500):
            self.board.cut()
            self.disk.repair()
            self.disk.arm()
            self.board.boot()
            self.board.must("mounting /dev/vdb" not in self.board.console(500), "the state's disk cannot be mounted, and not be repaired")
        then()

    def work(self, number: int):
        """Clients hand jobs in, read results and let some go, until the moment of the cut has come."""
        self.worked_last = number
        self.must_answer()
        stop = threading.Event()
        threads = [threading.Thread(target=self.hand_in, args=(number, lane, stop)) for lane in range(CLIENTS)]
        for thread in threads:
            thread.start()
        # A lie can be seen only where there is something to lie about.
        enough = 100 if self.lies else 1
        wanted = self.oracle.counts["accepted"] + enough
        self.board.wait("jobs to be accepted", lambda: self.oracle.counts["accepted"] >= wanted)
        time.sleep(self.rng.uniform(0, 6))
        self.board.cut()
        stop.set()
        for thread in threads:
            thread.join(330)

    def must_answer(self):
        self.board.wait("the service to answer", lambda: self.board.ask("GET", "/healthz").status == 200)

    def hand_in(self, number: int, lane: int, stop: threading.Event):
        rng = random.Random(f"{self.oracle.seed} {number} {lane}")
        own = []
        with self.client() as client:
            try:
                while not stop.is_set():
                    own.append(self.oracle.mint(rng.randint(300, 4096)))
                    client.create(own[-1])
                    job = rng.choice(own)
                    if rng.random() < 0.5 and job.owed and client.read_result(job) == 200 and rng.random() < 0.3:
                        self.let_go_in[job.id] = number
                        client.delete(job)
            except Gone:
                pass  # the power has gone

    def look(self, number: int):
        """Compares the board with what it owes."""
        with self.client() as client:
            shown = client.list()
            self.oracle.check_shown(shown)
            self.oracle.check_strangers(shown)
            for job in [job for job in self.oracle.jobs.values() if job.deleted and job.id in shown]:
                if self.let_go_in[job.id] < self.worked_last:
                    self.oracle.blame(f"{job.id} is back, and was let go long before the cut")
                self.oracle.count("back")
                self.let_go_in[job.id] = number
                client.delete(job)
            open_jobs = [job for job in self.oracle.jobs.values() if job.deleting is None]
            for job in self.rng.sample(open_jobs, min(LOOKS, len(open_jobs))):
                client.create(job)  # the same body: the same job, or one whose create got no answer
                client.create_other(job)
                client.read_result(job)
                self.looked_at += 1
        self.judge()

    def settle(self):
        """The last boot: all that was accepted comes to its end, once."""
        self.boot(self.board.until_ready)
        self.look(self.cuts)
        with self.client() as client:
            client.drain(patience=600)
            for job in self.oracle.owed():
                if not job.cancelled and client.read_result(job) != 200:
                    self.oracle.blame(f"{job.id} has no result in the end")
        for name in self.oracle.jobs.keys() - self.undone:
            if self.board.cloud.calls[name] > 5:
                self.oracle.blame(f"{name}: {self.board.cloud.calls[name]} calls")
        self.judge()

    def judge(self):
        wrong = self.oracle.wrong
        self.board.must(not wrong, f"{len(wrong)} promises broken: {'; '.join(wrong[:5])}")

    def facts(self) -> dict[str, object]:
        counts, damage = self.oracle.counts, self.disk.counts
        facts = {"cuts": self.cuts, "in_start": self.in_start, "accepted": counts["accepted"], "lost": counts["lost"]}
        facts |= {"results": counts["results"], "back": counts["back"], "looked_at": self.looked_at, "writes": damage["writes"]}
        return facts | {f"writes_{what}": damage[what] for what in ("lost", "torn", "garbage")} | {"repaired": damage["repaired"], "undone": len(self.undone)}


def backlog(board, life):
    """As many jobs as there may be wait over a cut."""
    size = Size(jobs=10_000 if board.rig.soak else 2_000)
    board.shutdown()
    life.disk.arm()
    board.boot()
    board.until_ready()
    board.must_run(f"systemctl stop {UNIT}; rm -rf /var/lib/private/edgehold/*; systemctl start {UNIT}", timeout=300)
    board.until_ready()
    load = Load(("127.0.0.1", board.port), size, FIELDS)
    load.run("jobs")
    board.must(not load.faults, "; ".join(load.faults[:3]))
    board.cut()
    life.disk.replay(at_end=True)
    life.boot(board.until_ready)
    with life.client() as client:
        waiting = len(client.list(state="queued"))
    board.must(waiting == size.jobs, f"{waiting} of {size.jobs} jobs are left after the cut")
    board.fact(backlog=waiting, backlog_guest_seconds=start_seconds(board))


def start_seconds(board) -> float:
    """From the start of the unit to READY, by the guest's clock: for information."""
    text = board.must_run(f"systemctl show -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic {UNIT}")
    times = dict(line.split("=") for line in text.split())
    return round((int(times["ActiveEnterTimestampMonotonic"]) - int(times["InactiveExitTimestampMonotonic"])) / 1e6, 1)
