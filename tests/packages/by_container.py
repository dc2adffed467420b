"""What is in the container image, run as an engine would: as the whole of a root, by a user without rights. No engine is
asked; that one can read the recipe is not shown here."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from bench import Bench, Failed, files, hold, tree

USER = 65532
PATIENCE = 30


def image_root(ours: Bench, name: str) -> pathlib.Path:
    """The files of the recipe's COPY lines, and what every engine puts in: /proc, and /run for secrets."""
    source = ours.made / "container"
    recipe = (source / "Containerfile").read_text()
    root = ours.scratch / name
    for line in re.findall(r"^COPY .*$", recipe, re.M):
        owner = re.search(r"--chown=(\d+):(\d+)", line)
        origin, place = line.split()[-2:]
        shutil.copytree(source / origin.replace("${TARGETARCH}", ours.platform), root / place.lstrip("/"))
        if owner:
            os.chown(root / place.lstrip("/"), int(owner[1]), int(owner[2]))
    hold(files(root) == {"usr/bin/edgehold", "etc/edgehold/edgehold.toml"}, f"the image has {sorted(files(root))}")
    hold(tree(root)["var/lib/edgehold"].startswith(f"40700 {USER}:{USER}"), "the folder of jobs")
    (root / "proc").mkdir()
    return root


class Model(http.server.BaseHTTPRequestHandler):
    """An Ollama with one model, as far as a question needs it."""

    def do_GET(self) -> None:
        self.say({"models": [{"name": "tiny", "model": "tiny"}], "version": "0.9.0"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/show":
            self.say({"capabilities": ["completion"], "model_info": {}, "details": {}})
        else:
            message = {"role": "assistant", "content": "from the model"}
            self.say({"model": "tiny", "message": message, "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 3})

    def say(self, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(ours: Bench, root: pathlib.Path) -> Iterator[int]:
    """The image's own command, and the port on which it answers."""
    port = free_port()
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    config = f'[server]\nlisten = ["127.0.0.1:{port}"]\n[providers.local]\nkind = "ollama"\nbase_url = "http://127.0.0.1:{model.server_port}"\n'
    (root / "etc/edgehold/edgehold.toml").write_text(config)
    process = subprocess.Popen(inside(ours, root, "serve"), env=recipe_env(ours), stderr=subprocess.PIPE, text=True)
    try:
        wait_for(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
        model.shutdown()


def inside(ours: Bench, root: pathlib.Path, *words: str) -> list[str]:
    emulator = []
    if ours.runner:
        # The one file that is not the image's: what runs another machine's program here.
        if not (root / "emulator").exists():
            shutil.copy(ours.runner[0], root / "emulator")
        emulator = ["/emulator"]
    mounted = 'mount --bind "$0" "$0" && mount -t proc none "$0/proc" && exec "$@"'
    change = ["chroot", f"--userspec={USER}:{USER}", "--groups=", str(root)]
    return ["unshare", "-m", "sh", "-c", mounted, str(root), *change, *emulator, "/usr/bin/edgehold", *words]


def recipe_env(ours: Bench) -> dict[str, str]:
    recipe = (ours.made / "container" / "Containerfile").read_text()
    line = re.search(r"^ENV (.*)$", recipe, re.M)
    return {"PATH": os.environ["PATH"], **dict(it.split("=") for it in (line[1] if line else "").split())}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(PATIENCE * 10):
        if process.poll() is not None:
            raise Failed(f"it ended with {process.returncode}: {process.stderr.read() if process.stderr else ''}")
        with contextlib.suppress(OSError):
            ask(port, "/healthz")
            return
        time.sleep(0.1)
    raise Failed("it never answered")


def ask(port: int, path: str, body: bytes | None = None, kind: str = "text/plain") -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def the_image_serves_with_nothing_else_in_it(ours: Bench) -> None:
    root = image_root(ours, "image")
    with served(ours, root) as port:
        hold(ask(port, "/v1/ask?model=tiny", b"Are you there?") == b"from the model\n", "another answer")
        job = json.dumps({"path": "/v1/ask?model=tiny", "body": "Are you there?"}).encode()
        hold(b'"id"' in ask(port, "/v1/jobs", job, "application/json"), "no job was accepted")
        health = subprocess.run(inside(ours, root, "status"), env=recipe_env(ours), capture_output=True, text=True, timeout=PATIENCE, check=False)
        hold(health.returncode == 0 and "edgehold" in health.stdout, f"the health check: {health.stderr}")
    made = {name: what for name, what in tree(root / "var/lib/edgehold").items()}
    hold("queue.db" in made and all(f" {USER}:{USER} " in f"{what} " for what in made.values()), f"its state: {made}")
    # What it has to notice: nothing serves any more.
    health = subprocess.run(inside(ours, root, "status"), env=recipe_env(ours), capture_output=True, text=True, timeout=PATIENCE, check=False)
    hold(health.returncode == 69, f"the health check of a dead service ended with {health.returncode}")


CHECKS = (the_image_serves_with_nothing_else_in_it,)
