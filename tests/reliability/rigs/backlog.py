"""backlog: 10,000 jobs wait. The service starts soon, lists them in little memory, and starts them in their order.

One job was accepted before another where its acceptance was seen before the other's create was sent. Between two clients
that ask at once there is no order.
"""

import random
import threading

from client import Client
from oracle import Oracle
from service import PATIENCE, Service
from upstream import Upstream

CLIENTS = 8
PRIORITIES = ("high", "normal", "low")
CAP = 32 << 20


def run(rig):
    waiting, started = rig.size(10_000, 10_000), rig.size(5000, 9000)
    oracle = Oracle(rig.seed)
    queue = {"max_jobs": waiting + 100, "quota": "64MiB", "concurrency": 1}
    with Upstream() as upstream, Service(rig.binary, rig.folder / "run", upstream, queue) as service:
        upstream.gate.clear()
        service.start()
        fill(service, oracle, waiting)
        service.kill()
        seconds = service.start()
        rig.figure(f"{waiting} jobs wait; ready in {seconds * 1000:.0f} ms after a kill (at most {PATIENCE} s are waited)")
        list_all(rig, service, oracle)
        kills = start_all(service, upstream, started, rig.rng)
        rig.figure(f"{len(upstream.first_calls)} started with {kills} kills in between")
    wrong = inversions(oracle, upstream.first_calls, lambda job: job.priority)
    rig.figure(f"{len(wrong)} inversions within a priority")
    rig.must(len(upstream.first_calls) >= started, "fewer jobs were started than were to be")
    rig.must(not wrong, f"out of order: {wrong[:5]}")
    oracle.check_upstream(upstream)
    rig.blame(oracle)
    control = inversions(oracle, upstream.first_calls, lambda job: None)
    rig.control("priorities not told apart", len(control), "inversions")


def fill(service, oracle, waiting):
    threads = [threading.Thread(target=hand_in, args=(service, oracle, waiting // CLIENTS, n)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hand_in(service, oracle, times, seed):
    rng = random.Random(seed)
    with Client(service.address, oracle) as client:
        for _ in range(times):
            client.create(oracle.mint(200, priority=rng.choice(PRIORITIES)))


def list_all(rig, service, oracle):
    """Page by page, and everything is there; the service holds no more than it may."""
    with Client(service.address, oracle) as client:
        shown = client.list()
    oracle.check_shown(shown)
    oracle.check_strangers(shown)
    now, most = service.memory()
    rig.figure(f"{len(shown)} listed, {oracle.counts['lost']} lost, {most / 2**20:.1f} MiB resident at most")
    rig.must(most < CAP, f"{most} bytes resident")


def start_all(service, upstream, started, rng):
    """Lets the jobs start, with a kill now and then. Returns the number of kills."""
    upstream.gate.set()
    kills = 0
    next_kill = rng.randint(100, 400)
    while len(upstream.first_calls) < started:
        with upstream.changed:
            upstream.changed.wait_for(lambda: len(upstream.first_calls) >= min(next_kill, started), 60)
        if len(upstream.first_calls) < min(next_kill, started):
            break
        if next_kill < started:
            service.kill()
            service.start()
            kills += 1
        next_kill += rng.randint(100, 400)
    return kills


def inversions(oracle, first_calls, kind):
    """Pairs of jobs of one kind of which the later one was started first: each job's worst."""
    latest, found = {}, []
    for name in first_calls:
        job = oracle.jobs[name]
        before = latest.get(kind(job))
        if before and before.issued > job.accepted:
            found.append((before.id, job.id))
        if not before or job.issued > before.issued:
            latest[kind(job)] = job
    return found
