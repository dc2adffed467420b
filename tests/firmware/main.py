"""Runs every example of a list through every situation; tests/firmware/run builds the list and starts this.

    main.py BINARY RUNNER LIST FOLDER

A line is printed for each pair, and at the end how many passed. No head of an answer may be larger than the buffer of 512.
"""

import asyncio
import pathlib
import sys
import time

from examples import listed
from fakes import Ollama
from gateway import Gateway
from situations import ALL, Setting

AT_ONCE = 4  # situations, which mostly wait
LARGEST_HEAD = 512


async def happens(name, situation, binary, runner, examples, folder):
    """What was wrong in a situation, by example; and all that its wires saw."""
    folder.mkdir()
    ollama = await Ollama().open()
    setting = Setting(Gateway(binary, runner, folder, ollama), ollama, examples, folder)
    setting.lay()
    try:
        found = await situation(setting)
    except (RuntimeError, OSError) as problem:
        found = {example.name: str(problem) for example in examples}
    finally:
        await setting.close()
    for example, problem in found.items():
        why = ": " + " | ".join(problem.strip().splitlines()) if problem else ""
        print(f"{'FAILED' if problem else 'ok':6} {example:12} {name}{why}", flush=True)
    return found, [seen for wire in setting.wires.values() for seen in wire.seen]


def largest_heads(everything):
    """The largest head of an answer, by method and status."""
    largest = {}
    for seen in everything:
        kind = f"{seen.line.split()[0]} {seen.status}"
        largest[kind] = max(largest.get(kind, 0), seen.head)
    return dict(sorted(largest.items()))


async def main(binary, runner, path, folder):
    began = time.monotonic()
    examples = listed(path)
    slots = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number, name, situation):
        async with slots:
            return await happens(name, situation, binary, runner, examples, pathlib.Path(folder) / str(number))

    turns = [in_turn(number, name, situation) for number, (name, situation) in enumerate(ALL.items())]
    found = await asyncio.gather(*turns)
    problems = [problem for each, _ in found for problem in each.values()]
    failed = sum(problem is not None for problem in problems)
    passed = len(problems) - failed
    heads = largest_heads(seen for _, each in found for seen in each)
    largest = max(heads.values(), default=0)
    print("largest heads of answers, bytes:", ", ".join(f"{kind} {size}" for kind, size in heads.items()))
    if largest > LARGEST_HEAD:
        print(f"FAILED a head is larger than {LARGEST_HEAD} bytes")
        failed += 1
    elif largest:
        passed += 1
    words = f"{failed} failed, {passed} passed" if failed else f"{passed} passed"
    print(f"{words} in {time.monotonic() - began:.1f}s")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
