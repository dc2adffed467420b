#!/usr/bin/env python3
"""The memory that large documents take, of the real service and of the child that reads them, under a cap of 32 MiB.

    tests/documents/memory.py BINARY                                   a release binary of this machine
    tests/documents/memory.py BINARY --runner qemu-aarch64-static      a static one for ARM, under QEMU's user mode

A text of 64 MiB, a page of 10 MiB, a PDF of 300 pages and a DOCX with pictures are summarised by the built-in extract, and
the text once more by a stand-in for an Ollama that answers at once: some 6,600 pieces, for a
window of 4,096 tokens.

`service` and `child` are each process's VmHWM, `together` the most that both had resident at the same moment, as it was seen
every few milliseconds; of what the two share (the program) every page is counted twice, and so is all of the service in the
moment in which its child is not yet the reader. `given out` is the service's own
account (edgehold_budget_peak_bytes). `together` must stay below the cap.

Under QEMU resident memory is the emulator's, with the code that it has translated, and a limit of the guest's memory is not
kept. So what an idle service and an idle child (one that reads a word) take is shown beside it and taken off: what is left
is what the documents cost, and that must stay below the cap. The child's own limits are judged on this machine's build only.

Controls: the smallest cap there is must refuse what it cannot read with 413 and the limit's name; and a cap of half of what
was measured must be found to be broken. The exit status is 0 only if all of this is so.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reliability"))
sys.dont_write_bytecode = True

from reader import Reader  # noqa: E402
from service import Service  # noqa: E402
from wire import Connection  # noqa: E402

MEBI = 1 << 20
CAP = 32 * MEBI
SMALLEST = 8 * MEBI
TRIES = 20
BUILT_IN = "builtin/extractive"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--runner", help="an emulator's user mode, which runs the binary")
    parser.add_argument("--text", type=int, default=64, metavar="MIB", help="size of the text; an emulator takes its time")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="edgehold-memory-") as folder:
        sys.exit(Trial(options, pathlib.Path(folder)).run())


def is_under(most, cap):
    """Whether what was measured is what was promised."""
    return 0 < most < cap


class Trial:
    def __init__(self, options, folder):
        self.binary, self.folder = options.binary.resolve(), folder
        self.runner, self.text_size = options.runner, options.text * MEBI
        self.faults = []

    def run(self):
        documents = make(self.folder, self.text_size)
        print(f"{self.binary.name}{f' under {self.runner}' if self.runner else ''}, cap {mib(CAP)} MiB; all in MiB")
        idle = self.measure("an idle service, a word", b"word.", "text/plain", BUILT_IN)
        print(f"{'':34}{'service':>9}{'child':>9}{'together':>10}{'given out':>11}{'seconds':>9}")
        self.show("a word", idle)
        most = 0
        for name, path, media, model in documents:
            found = self.measure(name, path, media, model)
            self.show(name, found)
            held = found.together - idle.together if self.runner else found.together
            most = max(most, held)
            self.must(found.status == 200, f"{name}: {found.status} {found.words}")
        what = "the most that a document added" if self.runner else "the most together"
        print(f"{what}: {mib(most)} MiB of {mib(CAP)}" + self.reservation())
        self.must(is_under(most, CAP), f"{mib(most)} MiB, and the cap is {mib(CAP)}")
        self.controls(documents, most)
        for fault in self.faults:
            print(f"BROKEN: {fault}")
        print("failed" if self.faults else "passed")
        return 1 if self.faults else 0

    def reservation(self):
        if not self.runner:
            return ""
        return f" (beside {self.runner} with an idle service and child; the child's limits do not hold under it)"

    def controls(self, documents, most):
        refused = []
        for name, path, media, model in documents:
            if media.startswith("text/"):
                continue
            found = self.measure(name, path, media, model, SMALLEST)
            if found.status == 413:
                refused.append(f"{name}: {found.words.strip()}")
                self.must("memory" in found.words, f"a refusal names no limit: {found.words}")
        for words in refused:
            print(f"control, a cap of {mib(SMALLEST)} MiB: 413 for {words}")
        self.must(refused or self.runner, f"a cap of {mib(SMALLEST)} MiB refuses nothing, so this proves nothing")
        self.must(not is_under(most, most // 2), "half of what was measured is found to be enough")
        print(f"control, a cap of {mib(most // 2)} MiB: {mib(most)} MiB are beyond it, as it must")

    def must(self, held, what):
        if not held:
            self.faults.append(what)

    def measure(self, name, document, media, model, cap=CAP):
        """One document through a service that was just started; again where its child was too quick to be seen."""
        for _ in range(TRIES):
            found = self.once(document, media, model, cap)
            if found.child or found.status != 200:
                return found
        self.must(False, f"{name}: no child was seen in {TRIES} tries")
        return found

    def once(self, document, media, model, cap):
        with Reader(32768) as reader:
            reader.answer_bytes = 400
            folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
            with Capped(self.binary, folder, reader, cap, self.runner) as service:
                service.start()
                return Measured(service, document, media, model, reader)

    def show(self, name, found):
        columns = (found.service, found.child, found.together, found.budget)
        widths = (9, 9, 10, 11)
        numbers = "".join(f"{mib(value):>{width}}" for value, width in zip(columns, widths))
        print(f"{name:34}{numbers}{found.seconds:>9.1f}{found.remark}", flush=True)


class Capped(Service):
    def __init__(self, binary, folder, reader, cap, runner):
        self.cap = cap
        environment = {"EDGEHOLD_RUNNER": runner} if runner else {}
        super().__init__(binary, folder, reader, environment=environment)
        self.wrap = [runner] if runner else []

    def configuration(self, url, queue):
        host, port = self.address
        return f"""
[server]
listen = ["{host}:{port}"]
[memory]
cap = "{self.cap // MEBI}MiB"
[deadlines]
total = "1h"
[providers.local]
kind = "ollama"
base_url = "{url}"
[summaries]
quota = "512MiB"
[queue]
path = "{self.database}"
"""

    def start(self):
        self.spawn(self.wrap)
        self.wait_until_ready(60)


class Measured:
    """A document's way through the service, and what both processes took."""

    def __init__(self, service, document, media, model, reader):
        self.pid, self.child, self.together = service.process.pid, 0, 0
        self.over = threading.Event()
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        began = time.monotonic()
        try:
            self.ask(service, document, media, model)
        finally:
            self.over.set()
            watcher.join()
        self.seconds = time.monotonic() - began
        self.service = service.memory()[1]
        # What was sampled may have missed the service's own peak, never the other way round.
        self.together = max(self.together, self.service)
        self.budget = self.gauge(service, "edgehold_budget_peak_bytes")
        maps, reductions = reader.counts()
        self.remark = f"  {maps} pieces, {reductions} calls for notes" if maps + reductions else ""

    def ask(self, service, document, media, model):
        with Connection(service.address, 3600) as connection:
            path, headers = f"/v1/summaries?model={model}", {"Content-Type": media}
            if isinstance(document, bytes):
                answer = connection.ask("POST", path, document, headers)
            else:
                with open(document, "rb") as file:
                    headers["Content-Length"] = str(document.stat().st_size)
                    answer = connection.ask("POST", path, file, headers)
        self.status, self.words = answer.status, (answer.body or b"").decode(errors="replace")[:300]

    def watch(self):
        strangers = set()
        while not self.over.is_set():
            own = resident(self.pid)
            for pid in children(self.pid, strangers):
                theirs = resident(pid)
                self.child = max(self.child, theirs[1])
                self.together = max(self.together, own[0] + theirs[0])
            self.together = max(self.together, own[0])
            self.over.wait(0.002)

    def gauge(self, service, name):
        with Connection(service.address) as connection:
            lines = connection.ask("GET", "/metrics").body.decode().splitlines()
        return int(float(next(line.split()[1] for line in lines if line.startswith(name + " "))))


def children(pid, strangers):
    """The processes that it has started. Who belongs to others is noted, so that it is looked at once."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in strangers or int(entry) == pid:
            continue
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == pid:
            found.append(int(entry))
        else:
            strangers.add(int(entry))
    return found


def resident(pid):
    """Bytes: now, and the most there ever were. Of a process that has ended there are none."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return tuple(int(fields.get(name, "0").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))


def mib(size):
    return f"{size / MEBI:.1f}"


def make(folder, text_size):
    """The documents, by make.py: name, file, media type, model."""
    subprocess.run([sys.executable, HERE / "make.py", "good", folder], check=True, stderr=subprocess.DEVNULL)
    text = folder / "log.txt"
    if text.stat().st_size > text_size:
        os.truncate(text, text_size)
    size = f"a text of {round(text.stat().st_size / MEBI)} MiB"
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return [
        (size, text, "text/plain", BUILT_IN),
        ("a web page of 10 MiB", folder / "page.html", "text/html", BUILT_IN),
        ("a PDF of 300 pages", folder / "book.pdf", "application/pdf", BUILT_IN),
        ("a DOCX with pictures", folder / "report.docx", docx, BUILT_IN),
        ("a mail with attachments", folder / "mail.eml", "message/rfc822", BUILT_IN),
        (f"{size}, by a model", text, "text/plain", "local/tiny"),
    ]


if __name__ == "__main__":
    main()
