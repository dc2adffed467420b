"""The gateways that are measured: how each is configured, started, watched and ended."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

MORTAL_PORTS = 60
LOCAL = "127.0.0.1"


class Failed(Exception):
    """Something that a measurement needs did not happen; says what."""


def own_ports():
    """The first of a thousand ports that no other run has; the socket holds them while this one lives."""
    for first in range(19000, 30000, 1000):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0edgehold-bench-{first}")
            return first, claim
        except OSError:
            claim.close()
    raise SystemExit("bench: too many runs at once")


UPSTREAM_PORT, CLAIM = own_ports()


class Process:
    """A program and all that it started."""

    def __init__(self, argv, port, folder, env=None, patience=60):
        self.log = folder / f"{pathlib.Path(argv[0]).name}-{port}.log"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.port = port
        self.wait_for_port(patience)

    def wait_for_port(self, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.child.poll() is not None:
                raise Failed(f"{self.child.args[0]} ended: {self.log.read_text()[-2000:]}")
            try:
                socket.create_connection((LOCAL, self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.005)
        self.stop()
        raise Failed(f"{self.child.args[0]} does not listen: {self.log.read_text()[-2000:]}")

    def tree(self):
        """The ids of the process and of all below it."""
        parents = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            parents.setdefault(int(text.rsplit(")", 1)[1].split()[1]), []).append(int(stat.parent.name))
        found, new = [], [self.child.pid]
        while new:
            found += new
            new = [child for pid in new for child in parents.get(pid, [])]
        return found

    def cpu_us(self):
        """Processor time that all its threads have had, in microseconds (schedstat counts nanoseconds)."""
        total = 0
        for pid in self.tree():
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(task.read_text().split()[0])
        return total / 1000

    def memory(self):
        """Resident and anonymous bytes of the tree, as the kernel counts them."""
        resident = anonymous = 0
        for pid in self.tree():
            for line in read(f"/proc/{pid}/status").splitlines():
                name, _, value = line.partition(":")
                if name == "VmRSS":
                    resident += int(value.split()[0]) * 1024
                elif name == "RssAnon":
                    anonymous += int(value.split()[0]) * 1024
        return {"rss": resident, "anon": anonymous}

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                pass
        # The group is ours: workers that outlive their master too.
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def absolute(path):
    """A path of the command line: gateways are started in a folder of their own."""
    return pathlib.Path(path).resolve()


def read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


class Gateway:
    """One gateway as it is measured. `pace` says how much of the load it is given: slow ones get a part of it."""

    def __init__(self, name, port, argv, env=None, pace=1.0, api="openai", path=None, header=None, streams=True):
        self.name, self.port, self.argv, self.env, self.pace = name, port, argv, env or {}, pace
        self.api, self.path, self.header, self.streams = api, path, header, streams

    def start(self, folder):
        return Process(self.argv, self.port, folder, self.env)

    def load_options(self):
        options = ["--port", str(self.port), "--api", self.api]
        if self.path:
            options += ["--path", self.path]
        if self.header:
            options += ["--header", self.header]
        return options


def direct():
    return Gateway("direct", UPSTREAM_PORT, None)


def nginx(folder):
    port = UPSTREAM_PORT + 201
    (folder / "nginx").mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/nginx; proxy_temp_path {folder}/nginx; fastcgi_temp_path {folder}/nginx;
  uwsgi_temp_path {folder}/nginx; scgi_temp_path {folder}/nginx;
  upstream fake {{ server {LOCAL}:{UPSTREAM_PORT}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen {LOCAL}:{port} backlog=4096;
    location / {{ proxy_pass http://fake; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
""")
    return Gateway("nginx", port, [shutil.which("nginx") or "/usr/sbin/nginx", "-c", f"{folder}/nginx.conf", "-p", str(folder)])


def haproxy(folder):
    port = UPSTREAM_PORT + 202
    (folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout client 120s
  timeout server 120s
  timeout connect 5s
  option http-no-delay
  http-reuse always
frontend in
  bind {LOCAL}:{port}
  default_backend fake
backend fake
  server fake {LOCAL}:{UPSTREAM_PORT} pool-max-conn 1024
""")
    return Gateway("HAProxy", port, [shutil.which("haproxy") or "/usr/sbin/haproxy", "-f", f"{folder}/haproxy.cfg"])


EDGEHOLD = """
[server]
listen = ["127.0.0.1:{port}"]
max_connections = 4096
[memory]
cap = "128MiB"
[queue]
path = "{folder}/queue-{port}.db"
[routing]
breaker_failures = {breaker_failures}
[providers.fake]
kind = "{kind}"
base_url = "http://127.0.0.1:{upstream}{base}"
max_concurrent = 2048
{more}
"""


def edgehold(folder, binary, kind="openai"):
    port = UPSTREAM_PORT + {"openai": 203, "ollama": 204}[kind]
    name = {"openai": "edgehold", "ollama": "edgehold, Ollama behind it"}[kind]
    config = folder / f"edgehold-{kind}.toml"
    catch_all = "\n".join(f'[models."{name}"]\ntargets = ["fake/{name}"]' for name in MODELS)
    config.write_text(
        EDGEHOLD.format(
            folder=folder,
            port=port,
            kind=kind,
            upstream=UPSTREAM_PORT,
            base="/v1" if kind == "openai" else "",
            breaker_failures=5,
            more=catch_all,
        )
    )
    return Gateway(name, port, [str(binary), "serve", "--config", str(config)])


# What is asked for; see tools/src/bin/upstream.rs.
SLOW = "c30-d100000-s5"
PACED = "c100-d10000-s5"
SHORT = "c3-d2000-s5"
FAST = "c2560-s4000"
MODELS = ["plain", SLOW, PACED, SHORT, FAST]


def edgehold_with_faults(folder, binary):
    """First targets that fail, each in its own way, before one that answers. A refused connection is believed for a
    while, so that each sample has a provider of its own, which answers its first probe and is gone then."""
    port = UPSTREAM_PORT + 205
    dead = "\n".join(
        f'[providers.dead{n}]\nkind = "ollama"\nbase_url = "http://127.0.0.1:{UPSTREAM_PORT + n}"\n'
        f'[models.refused{n}]\ntargets = ["dead{n}/m", "fake/plain"]\n'
        f'[models.reset{n}]\ntargets = ["fake/reset{n}", "fake/plain"]\n'
        f'[models.status503-{n}]\ntargets = ["fake/status503-{n}", "fake/plain"]'
        for n in range(1, MORTAL_PORTS + 1)
    )
    more = f'{dead}\n[models.open]\ntargets = ["fake/reset-open", "fake/plain"]\n[models.plain]\ntargets = ["fake/plain"]'
    config = folder / "edgehold-faults.toml"
    text = EDGEHOLD.format(
        folder=folder, port=port, kind="openai", upstream=UPSTREAM_PORT, base="/v1", breaker_failures=3, more=more
    )
    config.write_text(text)
    return Gateway("edgehold", port, [str(binary), "serve", "--config", str(config)])


def litellm(folder, venv):
    port = UPSTREAM_PORT + 206
    config = {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_base": f"http://{LOCAL}:{UPSTREAM_PORT}/v1",
                    "api_key": "none",
                },
            }
            for name in MODELS
        ],
        "general_settings": {"master_key": "sk-bench"},
    }
    (folder / "litellm.json").write_text(json.dumps(config))
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    argv = [f"{venv}/bin/litellm", "--config", f"{folder}/litellm.json", "--host", LOCAL, "--port", str(port)]
    return Gateway("LiteLLM", port, argv, env, pace=0.01, header="Authorization: Bearer sk-bench")


def portkey(folder, home):
    port = UPSTREAM_PORT + 207
    argv = [shutil.which("node") or "node", f"{home}/node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={port}", "--headless"]
    header = (
        f"x-portkey-provider: openai\r\nx-portkey-custom-host: http://{LOCAL}:{UPSTREAM_PORT}/v1\r\nAuthorization: Bearer none"
    )
    # As npm installs it, it answers every stream with status 500 (TypeError: immutable).
    return Gateway("Portkey", port, argv, {"TRUSTED_CUSTOM_HOSTS": LOCAL}, pace=0.02, header=header, streams=False)
