#!/usr/bin/env python3
"""Sends bombs and broken documents through a running service, which must outlive them all and say of each why.

    tests/documents/through.py BINARY [--runner qemu-aarch64-static] [--every N]

Every file of `make.py bad` goes to POST /v1/summaries at a cap of 32 MiB. Each must be answered 200 with a summary, or 400,
413 or 415 with a reason in words; the process must be the same at the end, with no document left on its disk, and a good
document must be summarised as before. `--every N` takes every N-th of them, for an emulator. Control: a service that is killed half way must be
noticed. Exit status 0: all held.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from memory import BUILT_IN, CAP, HERE, Capped, Connection, Reader
from wire import Broken

KINDS = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "html": "text/html",
    "mail": "message/rfc822",
    "csv": "text/csv",
    "json_lines": "application/x-ndjson",
    "jsonl": "application/x-ndjson",
    "markdown": "text/markdown",
    "text": "text/plain",
}
GOOD = b"The pump was inspected on Monday. It was found to be worn. It will be replaced on Friday."
REFUSALS = (400, 413, 415)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--runner", help="an emulator's user mode, which runs the binary")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="edgehold-through-") as folder:
        sys.exit(run(options, pathlib.Path(folder)))


def run(options, folder):
    subprocess.run([sys.executable, HERE / "make.py", "bad", folder / "bad"], check=True)
    rows = json.loads((folder / "bad" / "list.json").read_text())[:: options.every]
    faults, counts = send_all(options, folder, rows)
    print(f"{len(rows)} documents: " + ", ".join(f"{count} x {status}" for status, count in sorted(counts.items())))
    control, _ = send_all(options, folder, rows[:6], killed_at=3)
    if not control:
        faults.append("the control: a service that was killed is not noticed")
    for fault in faults:
        print(f"BROKEN: {fault}")
    print("failed" if faults else "passed")
    return 1 if faults else 0


def send_all(options, folder, rows, killed_at=None):
    faults, counts = [], collections.Counter()
    with Reader(8192) as reader:
        state = pathlib.Path(tempfile.mkdtemp(dir=folder))
        with Capped(options.binary.resolve(), state, reader, CAP, options.runner) as service:
            service.start()
            for number, row in enumerate(rows):
                if number == killed_at:
                    service.process.kill()
                    service.process.wait()
                answer = send(service, row, folder / "bad" / row["file"])
                counts[answer and answer[0]] += 1
                faults += complaints(row, answer)
            faults += after(service, state)
    return faults, counts


def send(service, row, path):
    media = KINDS[row["kind"]]
    if "charset" in row:
        media += f"; charset={row['charset']}"
    return ask(service, path.read_bytes(), media)


def ask(service, body, media):
    try:
        with Connection(service.address, 600) as connection:
            answer = connection.ask("POST", f"/v1/summaries?model={BUILT_IN}", body, {"Content-Type": media})
            return answer.status, (answer.body or b"").decode(errors="replace")
    except (OSError, Broken):
        return None


def complaints(row, answer):
    if answer is None:
        return [f"{row['file']}: no answer"]
    status, words = answer
    try:
        said = json.loads(words)
    except ValueError:
        return [f"{row['file']}: {status} without JSON: {words[:200]}"]
    if status == 200:
        return [] if said.get("summary") else [f"{row['file']}: an empty summary"]
    if status not in REFUSALS:
        return [f"{row['file']}: {status}: {said.get('detail')}"]
    return [] if said.get("detail") else [f"{row['file']}: {status} without a reason"]


def after(service, state):
    """What must be true when all of it is over."""
    faults = []
    if service.process.poll() is not None:
        faults.append("the service has ended")
    answer = ask(service, GOOD, "text/plain")
    if answer is None or answer[0] != 200:
        faults.append(f"a good document is not summarised afterwards: {answer}")
    left = [path.name for path in state.rglob("documents/*")]
    if left:
        faults.append(f"documents are left on the disk: {left[:5]}")
    return faults


if __name__ == "__main__":
    main()
