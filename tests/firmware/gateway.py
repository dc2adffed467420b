"""The gateway under test: the real binary, with the settings of config/firmware.toml, on a port that stays its own."""

import asyncio
import os
import pathlib
import re
import shlex

from fakes import MODEL, free_port

CONFIG = pathlib.Path(__file__).parents[2] / "config" / "firmware.toml"
TOKEN = "firmware-test-token-0123456789"
# The name that the examples with a fixed address call it by; the host's stand-in for the network leads it here.
DEVICE = "192.168.4.1:11435"


class Gateway:
    """One process with a folder of its own; it may be killed and started again."""

    def __init__(self, binary, runner, folder, ollama):
        self.words = [*shlex.split(runner or ""), str(binary)]
        self.folder, self.ollama = folder, ollama
        self.port = free_port()
        self.max_waiting = 32  # the default
        self.max_attempts = 5  # the default
        self.names = []  # ports by which it is called, beside its own
        self.process = None

    def configuration(self):
        """The example for firmware, with its addresses, model and limits changed for the test."""
        text = CONFIG.read_text()
        hosts = ", ".join(f'"{name}"' for name in [DEVICE, *(f"127.0.0.1:{port}" for port in self.names)])
        text = text.replace('"127.0.0.1:11435"]', f'"127.0.0.1:{self.port}"]\nhosts = [{hosts}]')
        text = re.sub(r"max_connections = \d+", "max_connections = 64", text)
        text = text.replace('kind = "ollama"', f'kind = "ollama"\nbase_url = "http://127.0.0.1:{self.ollama.port}"')
        text = text.replace('patience = "3s"', f"max_waiting = {self.max_waiting}")
        text = re.sub(r"\[providers\.openai\][^\[]*", "", text)
        text = re.sub(r"targets = \[.*\]", f'targets = ["local/{MODEL}"]', text)
        return text + f"""
[queue]
path = "{self.folder}/queue.db"
max_attempts = {self.max_attempts}
[routing]
retries = 0
[[clients]]
name = "firmware"
token = {{ env = "EDGEHOLD_TOKEN" }}
"""

    async def start(self):
        config = self.folder / "edgehold.toml"
        config.write_text(self.configuration())
        with open(self.folder / "gateway.log", "ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.words, "serve", "--config", config, stdout=log, stderr=log,
                env=os.environ | {"EDGEHOLD_TOKEN": TOKEN, "STATE_DIRECTORY": str(self.folder)},
            )  # fmt: skip
        for _ in range(600):
            if self.process.returncode is not None:
                break
            if await self.ask("GET", "/readyz") == 200:
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"the gateway does not start:\n{self.log()}")

    async def ask(self, method, path, body=""):
        """The status of a plain request, or None where nobody answers. A body that looks like JSON is."""
        kind = "application/json" if body.startswith("{") else "text/plain"
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
                f"Authorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body}".encode()
            )
            answer = await reader.read()
            writer.close()
            return int(answer.split()[1])
        except (OSError, IndexError):
            return None

    async def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
        if self.process:
            await self.process.wait()

    def log(self):
        return (self.folder / "gateway.log").read_text(errors="replace")[-2000:]
