"""readonly: under load the file system turns read-only, as ext4 does when a card fails, and later a good one is mounted.

The kernel lets nobody remount a file system read-only while a file on it is open for writing, so it is made to find an
error: with errors=remount-ro every write fails from there on. It never becomes writable again; a copy of it takes its place.
"""

import threading
import time

import stored
from client import Client
from disk import MEBI, Disk, attach, root, wait_until
from oracle import Oracle
from service import Service
from upstream import Upstream
from wire import Broken


def run(rig):
    oracle = Oracle(rig.seed)
    with Upstream() as upstream, Disk(rig.folder / "card", 16 * MEBI, "errors=remount-ro") as disk:
        with Service(rig.binary, rig.folder / "run", upstream, database=disk.path / "queue.db") as service:
            service.start()
            with Load(service, oracle, upstream) as load:
                wait_until(lambda: oracle.counts["accepted"] > 50, "some load")
                (disk.sysfs / "trigger_fs_error").write_text("1")
                wait_until(lambda: load.refused_in_a_row > 3, "a refusal")
                with Client(service.address, oracle, upstream) as client:
                    while_read_only(rig, client)
                    mount_a_copy(disk)
                    _, seconds = client.wait_for_room(500)
            rig.must(service.alive, "it ended")
            with Client(service.address, oracle, upstream) as client:
                oracle.check_shown(client.list())
                client.drain()
                client.finish(oracle.owed())
            control(rig, service, oracle)
        rig.figure(f"{oracle.counts['accepted']} accepted under load, {oracle.counts['lost']} lost, {load.statuses}")
        rig.figure(f"jobs taken again {seconds:.2f} s after a good card was there, without a restart")
        rig.blame(oracle)


def while_read_only(rig, client):
    """No job is accepted, what needs no disk goes on, and /status says why."""
    answers = [client.create(client.oracle.mint(500)) for _ in range(20)]
    rig.must(all(answer.status == 503 for answer in answers), f"read-only: {[answer.status for answer in answers]}, not 503")
    rig.must(all(answer.headers.get("Retry-After") for answer in answers), "read-only: a refusal without Retry-After")
    chats = [client.chat().status for _ in range(10)]
    rig.must(chats == [200] * 10, f"read-only: chats are answered {chats}")
    status = client.status()
    rig.must(status["state"] == "closed" and status["why"], f"read-only: /status says {status}")
    rig.figure(f"{len(answers)} creates refused with 503, {len(chats)} chats answered, /status: {status['why']!r}")


def mount_a_copy(disk):
    """The card's content on a good card, at the same place. Files that are open on the old one stay there."""
    old = disk.device
    copy = disk.image.with_name("copy.img")
    copy.write_bytes(disk.image.read_bytes())
    root("e2fsck", "-f", "-y", copy, check=False)
    root("umount", "-l", disk.mount_point)
    root("losetup", "-d", old)
    disk.device = attach(copy)
    disk.mount()


def control(rig, service, oracle):
    """A job that somebody takes out of the file."""
    other = Oracle(rig.seed + 1)
    with Client(service.address, other) as client:
        jobs = [other.mint(100) for _ in range(10)]
        for job in jobs:
            client.create(job)
    service.kill()
    stored.forget(service.database, jobs[4].id)
    service.start()
    with Client(service.address, other) as client:
        other.check_shown(client.list())
    rig.control("a job taken out of the file", other.counts["lost"], "lost")


class Load:
    """Clients that hand jobs in all the time."""

    def __init__(self, service, oracle, upstream):
        self.service, self.oracle, self.upstream = service, oracle, upstream
        self.ended = False
        self.refused_in_a_row = 0
        self.statuses = {}

    def __enter__(self):
        self.threads = [threading.Thread(target=self.work) for _ in range(3)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        for thread in self.threads:
            thread.join()

    def work(self):
        with Client(self.service.address, self.oracle, self.upstream) as client:
            while not self.ended:
                try:
                    status = client.create(self.oracle.mint(500)).status
                except Broken as broken:
                    return self.oracle.blame(str(broken))
                self.statuses[status] = self.statuses.get(status, 0) + 1
                self.refused_in_a_row = self.refused_in_a_row + 1 if status >= 300 else 0
                time.sleep(0.005)
