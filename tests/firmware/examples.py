"""The examples as they are run: a command each, to which a question is given in words or as a typed line."""

import asyncio
import os
import pathlib
import shlex

from gateway import TOKEN

PATIENCE = 80  # seconds after which a run is ended and has failed; nothing waits as long as that


class Result:
    """What one run said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err.decode(errors="replace")
        lines = [line for line in self.err.splitlines() if line.strip()]
        last = lines[-1] if lines else ""
        said = {word for word in ("ok", "failed:") if word in last.split()}
        self.ok = said == {"ok"} and code == 0
        self.failed = said == {"failed:"} or any(line.startswith("failed:") for line in lines)
        self.broken = "Sanitizer" in self.err or "runtime error" in self.err or "Traceback" in self.err

    def problem(self, answer):
        """What is wrong, where it should have brought this answer."""
        if not self.ok:
            return f"it should have come to an answer: {self.tail()}"
        if self.broken:
            return f"it is broken: {self.tail()}"
        if self.out != answer:
            return f"{len(self.out)} bytes, and not the {len(answer)} of the answer"
        return None

    def no_answer(self, *words):
        """What is wrong, where it should have failed and said these words."""
        if self.ok or not self.failed or self.broken:
            return f"it should have said that it failed: {self.tail()}"
        missing = [word for word in words if word not in self.err]
        return f"{missing} should be in: {self.tail()}" if missing else None

    def tail(self):
        return f"exit status {self.code}, {self.err[-300:]!r}"


class Example:
    """A program, by the name of its folder and tool. `console`: it is asked by typed lines and calls a fixed address."""

    def __init__(self, name, console, words):
        self.name, self.console, self.words = name, console, words

    async def start(self, port, *words, folder, token=TOKEN):
        environment = os.environ | {"EDGEHOLD_TOKEN": token, "PYTHONDONTWRITEBYTECODE": "1"}
        environment["EDGEHOLD_STATE"] = str(folder / f"{self.name}.json")
        # What one that is killed leaves behind goes with the folder.
        environment["TMPDIR"] = str(folder)
        environment["EDGEHOLD_ADDRESS"] = f"127.0.0.1:{port}"
        command = self.words if self.console else [*self.words, "127.0.0.1", str(port), *words]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        return process, (" ".join(words) + "\n").encode() if self.console else b""

    async def run(self, port, *words, **more):
        return await self.finish(*await self.start(port, *words, **more))

    async def finish(self, process, typed):
        try:
            out, err = await asyncio.wait_for(process.communicate(typed), PATIENCE)
        except asyncio.TimeoutError:
            process.kill()
            out, err = await process.communicate()
            err += b"\nended, as it took too long\n"
        return Result(process.returncode, out, err)

    def again(self, name, text):
        """The words that take up a job after a reset: one of them has kept them itself."""
        return ("resume",) if self.name == "python" else ("job", name, text)


def listed(path):
    """The examples of a list: name, `words` or `console`, and the command, parted by tabs."""
    rows = [line.split("\t") for line in pathlib.Path(path).read_text().splitlines()]
    return [Example(name, how == "console", shlex.split(command)) for name, how, command in rows]
