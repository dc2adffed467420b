"""QEMU's monitor: one command after the other over its socket."""

import json
import socket


class Refused(Exception):
    """QEMU did not do it; says why."""


class Monitor:
    """A connection to the monitor of one QEMU."""

    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # its greeting
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments):
        """Runs the command; returns what it returns. Names may be written with _ for -."""
        said = {"execute": command, "arguments": {key.replace("_", "-"): value for key, value in arguments.items()}}
        self.socket.sendall(json.dumps(said).encode() + b"\n")
        while True:
            line = self.file.readline()
            if not line:
                raise Refused(f"{command}: QEMU has ended")
            answer = json.loads(line)
            if "error" in answer:
                raise Refused(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()
