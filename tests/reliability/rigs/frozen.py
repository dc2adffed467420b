"""frozen: the disk stops answering, as a card does that hangs: a write neither ends nor fails. Later it goes on.

fsfreeze holds every write to the file system back, until it is thawed.
"""

import concurrent.futures
import contextlib

from client import Client, Closed
from disk import MEBI, Disk, root
from oracle import Oracle
from service import Service
from upstream import Upstream

BEFORE, WAITING = 20, 4


def run(rig):
    for fault in lived_through(rig, "disk", frozen):
        rig.must(False, fault)
    control = lived_through(rig, "control", contextlib.nullcontext)
    rig.control("a disk that answers", len(control), "of these would be wrong")


def lived_through(rig, name, held_back):
    """Takes a service through a disk that is held back. Returns what was wrong."""
    oracle, wrong = Oracle(rig.seed), []
    folder = rig.folder / name
    with Upstream() as upstream, Disk(folder, 16 * MEBI) as disk:
        with Service(rig.binary, folder / "run", upstream, database=disk.path / "queue.db") as service:
            service.start()
            with Client(service.address, oracle, upstream) as client:
                before = [oracle.mint(500) for _ in range(BEFORE)]
                for job in before:
                    client.create(job)
                client.finish(before[: BEFORE // 2])
                client.drain()
                with held_back(disk.path):
                    late = while_held_back(service, oracle, upstream, client, wrong)
                _, seconds = client.wait_for_room(500)
                there = client.list()
                oracle.check_shown(there)
                began = [job for job in late if job.name in there]
                if len(began) > 1:
                    wrong.append(f"{len(began)} jobs are there that nobody was told of, and one can have been under way")
                for job in late:
                    client.create(job)
                client.drain()
                client.finish(oracle.owed())
            if not service.alive:
                wrong.append("it ended")
    if held_back is frozen:
        rig.figure(f"{oracle.counts['accepted']} accepted, {oracle.counts['lost']} lost, jobs taken again {seconds:.2f} s after")
    return wrong + oracle.wrong


@contextlib.contextmanager
def frozen(path):
    root("fsfreeze", "--freeze", path)
    try:
        yield
    finally:
        root("fsfreeze", "--unfreeze", path)


def while_held_back(service, oracle, upstream, client, wrong):
    """Clients wait, and are told; what needs no disk goes on. Returns the jobs that they handed in."""
    jobs = [oracle.mint(500, manner="put") for _ in range(WAITING)]
    with concurrent.futures.ThreadPoolExecutor(WAITING) as pool:
        waiting = [pool.submit(hand_in, service, oracle, upstream, job) for job in jobs]
        chats = [client.chat().status for _ in range(10)]
        answers = [it.result() for it in waiting]
    jobs.append(oracle.mint(500, manner="put"))
    answers.append(client.create(jobs[-1]))
    if chats != [200] * 10:
        wrong.append(f"chats are answered {chats}")
    statuses = [answer.status for answer in answers]
    if statuses != [503] * len(jobs) or not all(answer.headers.get("Retry-After") for answer in answers):
        wrong.append(f"creates are answered {statuses}, not 503 with Retry-After")
    status = client.status()
    if status["state"] != "closed" or "disk has not answered" not in (status["why"] or ""):
        wrong.append(f"/status says {status}")
    try:
        client.list()
        wrong.append("the list is answered")
    except Closed:
        pass
    return jobs


def hand_in(service, oracle, upstream, job):
    with Client(service.address, oracle, upstream) as client:
        return client.create(job)
