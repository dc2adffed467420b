"""frozen: the disk stops answering, as a card does that hangs: a write neither ends nor fails. Later it goes on.

fsfreeze holds every write to the file system back, until it is thawed.
"""

import concurrent.futures
import contextlib
import time

from client import Client, Closed
from disk import MEBI, Disk, root
from oracle import Oracle
from service import Service
from upstream import Upstream
from wire import Broken, Connection

BEFORE, WAITING = 20, 4
# Seconds, bounds of waits: a client is told after 30, and at once where the disk has not answered for so long.
IN_TIME, AT_ONCE = 45, 10
# What is looked at while the disk is held back, and after. The control must find each of them wrong.
CHECKS = {"creates", "later create", "summary", "/status", "list", "jobs there"}


def run(rig):
    for check, words in lived_through(rig, "disk", frozen).items():
        rig.must(False, f"{check}: {words}")
    found = lived_through(rig, "control", contextlib.nullcontext).keys() & CHECKS
    rig.control("a disk that answers", len(found), f"of {len(CHECKS)} checks fail", found == CHECKS)


def lived_through(rig, name, held_back):
    """Takes a service through a disk that is held back. Returns what was wrong, by check."""
    oracle, wrong = Oracle(rig.seed), {}
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
                    first, *others = while_held_back(service, client, wrong)
                _, seconds = client.wait_for_room(500)
                there = client.list()
                oracle.check_shown(there)
                # The first was under way, and may be kept; the others had not been begun when their clients were told.
                done = [job.name for job in others if job.name in there]
                if done:
                    wrong["jobs there"] = f"{done}, which were not to be done any more"
                for job in (first, *others):
                    client.create(job)
                client.drain()
                client.finish(oracle.owed())
            if not service.alive:
                wrong["end"] = "the service ended"
    if held_back is frozen:
        rig.figure(f"{oracle.counts['accepted']} accepted, {oracle.counts['lost']} lost, jobs taken again {seconds:.2f} s after")
    if oracle.wrong:
        wrong["promises"] = "; ".join(oracle.wrong[:10])
    return wrong


@contextlib.contextmanager
def frozen(path):
    root("fsfreeze", "--freeze", path)
    try:
        yield
    finally:
        root("fsfreeze", "--unfreeze", path)


def while_held_back(service, client, wrong):
    """Clients wait, and are told; what needs no disk goes on. Returns the jobs that they handed in, the first one first."""
    first, *others, later = (client.oracle.mint(500, manner="put") for _ in range(WAITING + 1))
    with concurrent.futures.ThreadPoolExecutor(WAITING + 1) as pool:
        # Its document is to lie on the disk.
        document = pool.submit(summarised, service, client)
        waiting = [pool.submit(hand_in, service, client, first, IN_TIME)]
        # The queue's thread takes up what waits at once, and by then has the first.
        time.sleep(1)
        waiting += [pool.submit(hand_in, service, client, job, IN_TIME) for job in others]
        chats = [client.chat().status for _ in range(10)]
        answers = [it.result() for it in waiting]
    if document.result() != 503:
        wrong["summary"] = f"it is answered {document.result()}, not 503"
    if chats != [200] * 10:
        wrong["chats"] = f"they are answered {chats}"
    if answers != [503] * WAITING:
        wrong["creates"] = f"they are answered {answers}, not 503"
    answer = hand_in(service, client, later, AT_ONCE)
    if answer != 503:
        wrong["later create"] = f"it is answered {answer}, not 503"
    status = client.status()
    if status["state"] != "closed" or "disk has not answered" not in (status["why"] or ""):
        wrong["/status"] = f"it says {status}"
    answer = listed(service, client)
    if answer != 503:
        wrong["list"] = f"it is answered {answer}, not 503"
    return [first, *others, later]


def hand_in(service, client, job, patience):
    """How the create is answered. A 503 has to say when to come again."""
    with another(service, client, patience) as other:
        try:
            answer = other.create(job)
        except Broken as broken:
            return str(broken)
    return "503 without Retry-After" if answer.status == 503 and not answer.headers.get("Retry-After") else answer.status


def summarised(service, client):
    """How a document is answered that is to be summarised."""
    with Connection(service.address, IN_TIME) as connection:
        try:
            return connection.ask("POST", "/v1/summaries", b"A pump. It runs. " * 1000, {"Content-Type": "text/plain"}).status
        except Broken as broken:
            return str(broken)


def listed(service, client):
    """How the list is answered."""
    with another(service, client, AT_ONCE) as other:
        try:
            other.list()
        except Closed:
            return 503
        except Broken as broken:
            return str(broken)
    return 200


def another(service, client, patience):
    """Another client, which waits no longer than this for an answer."""
    other = Client(service.address, client.oracle, client.upstream)
    other.connection = Connection(service.address, patience)
    return other
