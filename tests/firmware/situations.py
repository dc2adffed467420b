"""What happens to the examples: each situation runs all of them at once, and says for each what was wrong, or nothing."""

import asyncio
import itertools
import json

from fakes import ANSWER, LONG, Liar, Wire

SHORT = f"{ANSWER}\n".encode()
WHOLE = f"{LONG}\n".encode()
# All that JSON escapes, and more than ASCII. A typed line has no line feed.
QUESTION = 'Is "81 °C" \\ too\thot? {name}'
# Between two tries, what a clock and a scheduler may be off.
SLACK = 0.05


class Setting:
    """A gateway with an Ollama, and a wire to it for each example."""

    def __init__(self, gateway, ollama, examples, folder):
        self.gateway, self.ollama, self.examples, self.folder = gateway, ollama, examples, folder
        self.wires = {}

    def lay(self, **how):
        self.wires = {example.name: Wire(self.gateway.port, **how) for example in self.examples}
        self.gateway.names = [wire.port for wire in self.wires.values()]

    async def open(self):
        await asyncio.gather(*(wire.open() for wire in self.wires.values()))
        await self.gateway.start()

    async def close(self):
        await asyncio.gather(*(wire.shut() for wire in self.wires.values()), self.ollama.shut(), self.gateway.kill())

    async def run(self, example, *words, **more):
        return await example.run(self.wires[example.name].port, *words, folder=self.folder, **more)

    async def all(self, trial):
        """The trial of every example, at once."""
        found = await asyncio.gather(*(trial(self, example) for example in self.examples))
        return {example.name: problem for example, problem in zip(self.examples, found)}

    async def until(self, what, ready, seconds=40):
        """Waits until something is so for every wire."""
        for _ in range(seconds * 50):
            if all(ready(wire) for wire in self.wires.values()):
                return
            await asyncio.sleep(0.02)
        late = [name for name, wire in self.wires.items() if not ready(wire)]
        raise RuntimeError(f"{what}: not so for {late}\n{self.gateway.log()}")


def first(problems):
    """The first of them that is one."""
    return next((problem for problem in problems if problem), None)


def accepted(wire):
    return 202 in wire.statuses("PUT")


# --- served at once ---


async def at_once(setting, example):
    name = f"once-{example.name}"
    question = QUESTION.format(name=example.name)
    for words in (("ask", question), ("job", name, question), ("later", f"{name}-later", question)):
        problem = (await setting.run(example, *words)).problem(SHORT)
        if problem:
            return f"{words[0]}: {problem}"
    wire = setting.wires[example.name]
    if setting.ollama.prompts.count(question) != 3:
        return f"the model was not asked in these words: {setting.ollama.prompts}"
    if len(wire.statuses("DELETE")) != 2 or await setting.gateway.ask("GET", f"/v1/jobs/{name}") != 404:
        return "the job was not let go"
    return None


async def served_at_once(setting):
    await setting.open()
    return await setting.all(at_once)


# --- the provider is away, and comes back ---


async def away(setting, example):
    name = f"away-{example.name}"
    runs = [setting.run(example, "ask", "now"), setting.run(example, "job", name, f"job of {example.name}"),
            setting.run(example, "later", f"{name}-later", f"later of {example.name}")]  # fmt: skip
    found = await asyncio.gather(*runs)
    asked = [setting.ollama.prompts.count(f"{kind} of {example.name}") for kind in ("job", "later")]
    problem = first(result.problem(SHORT) for result in found)
    return problem or waited(setting.wires[example.name]) or (f"asked {asked} times" if asked != [1, 1] else None)


def waited(wire):
    """What is wrong with the pauses after each 503."""
    asks = [seen for seen in wire.seen if seen.line.startswith("POST") and "prefer" not in seen.asked]
    for before, after in itertools.pairwise(asks):
        wait, pause = before.fields.get("retry-after"), after.time - before.time
        if before.status == 503 and (not wait or pause < int(wait) - SLACK):
            return f"Retry-After: {wait}, and asked again after {pause:.2f} s"
    return None


async def provider_away(setting):
    await setting.ollama.shut()
    await setting.open()
    trials = asyncio.ensure_future(setting.all(away))
    await setting.until("503 for a question, 202 for a job", lambda wire: 503 in wire.statuses("POST") and accepted(wire))
    await setting.ollama.open()
    return await trials


# --- the answer takes longer than one request waits ---


async def patient(setting, example):
    name = f"slow-{example.name}"
    runs = [setting.run(example, "job", name, name), setting.run(example, "later", f"{name}-later", f"{name}-later")]
    problem = first(result.problem(SHORT) for result in await asyncio.gather(*runs))
    asked = [setting.ollama.prompts.count(text) for text in (name, f"{name}-later")]
    return problem or (f"asked {asked} times" if asked != [1, 1] else None)


async def slow_answer(setting):
    setting.ollama.free.clear()
    await setting.open()
    trials = asyncio.ensure_future(setting.all(patient))
    both = lambda wire: 202 in wire.statuses("GET") and 202 in wire.statuses("POST")  # noqa: E731
    await setting.until("202 for the result, and for a question", both)
    setting.ollama.free.set()
    return await trials


# --- the gateway dies between the hand-over and the result ---


async def killed(setting, example):
    name = f"killed-{example.name}"
    result = await setting.run(example, "job", name, name)
    seen = setting.wires[example.name].seen
    places = {each.line.split("?")[0].split()[1].removesuffix("/result") for each in seen}
    if places != {f"/v1/jobs/{name}"}:
        return f"it called {places}"
    return result.problem(SHORT) or (None if name in setting.ollama.prompts else "nobody was asked")


async def gateway_killed(setting):
    setting.ollama.free.clear()
    await setting.open()
    trials = asyncio.ensure_future(setting.all(killed))
    await setting.until("accepted", accepted)
    await asyncio.sleep(0.2)  # so that most of them wait for the result
    await setting.gateway.kill()
    await setting.gateway.start()
    setting.ollama.free.set()
    return await trials


# --- the device is reset between the hand-over and the result ---


async def begin(setting, example):
    name = f"reset-{example.name}"
    started = await example.start(setting.wires[example.name].port, "job", name, name, folder=setting.folder)
    return started[0], asyncio.ensure_future(example.finish(*started))


async def go_on(setting, example):
    name = f"reset-{example.name}"
    problem = (await setting.run(example, *example.again(name, name))).problem(SHORT)
    asked = setting.ollama.prompts.count(name)
    return problem or (None if asked == 1 else f"the model was asked {asked} times")


async def device_reset(setting):
    setting.ollama.free.clear()
    await setting.open()
    begun = await setting.all(begin)
    await setting.until("accepted", accepted)
    for process, finish in begun.values():
        process.kill()
        await finish
    trials = asyncio.ensure_future(setting.all(go_on))
    await setting.until("handed over again", lambda wire: len(wire.statuses("PUT")) > 1)
    setting.ollama.free.set()
    return await trials


# --- 20 KiB through 512 bytes, some bytes at a time ---


async def long(setting, example):
    found = [await setting.run(example, *words) for words in (("ask", "long"), ("job", f"long-{example.name}", "long"))]
    return first(result.problem(WHOLE) for result in found)


async def long_answer(setting):
    setting.lay(trickle=True)
    await setting.open()
    return await setting.all(long)


# --- the connection is cut in the middle of the answer ---


async def cut(setting, example):
    wire = setting.wires[example.name]
    for words in (("job", f"cut-{example.name}", "long"), ("later", f"cut-later-{example.name}", "long")):
        wire.cuts = 2
        problem = (await setting.run(example, *words)).problem(WHOLE)
        if problem or wire.cuts:
            return f"{words[0]}: {problem or 'no cut was seen'}"
    wire.cuts = 1
    result = await setting.run(example, "ask", "long")
    # What is passed on only when it is whole may be asked for again; all others have to say that it broke off.
    return result.problem(WHOLE) if result.ok else result.no_answer("cut")


async def answer_cut(setting):
    await setting.open()
    return await setting.all(cut)


# --- a request that is wrong ---


async def wrong(setting, example):
    taken = f"taken-{example.name}"
    body = json.dumps({"path": "/v1/ask", "body": "something else"})
    if await setting.gateway.ask("PUT", f"/v1/jobs/{taken}", body) != 202:
        return "the job was not taken"
    table = [
        (("ask", ""), {}, ("400", "empty")),
        (("job", "bad!id", "x"), {}, ("400", "letters, digits")),
        (("job", taken, "x"), {}, ("422", "another request")),
        (("ask", "x"), {"token": "not-a-token-at-all"}, ("401",)),
    ]
    for words, more, said in table:
        result = await setting.run(example, *words, **more)
        problem = result.no_answer(*said) or (f"an answer: {result.out!r}" if result.out else None)
        if problem:
            return f"{words}: {problem}"
    tries = len(setting.wires[example.name].seen)
    return None if tries == len(table) else f"{tries} requests for {len(table)}: what is wrong was sent again"


async def wrong_request(setting):
    await setting.open()
    return await setting.all(wrong)


# --- a job that fails ---


async def failing(setting, example):
    result = await setting.run(example, "job", f"failing-{example.name}", "overloaded")
    problem = result.no_answer("503") or (f"an answer: {result.out!r}" if result.out else None)
    tries = [status for status in setting.wires[example.name].statuses("GET") if status != 202]
    return problem or (None if tries == [503] else f"the result was {tries}: what a job ended with was asked for again")


async def job_fails(setting):
    setting.gateway.max_attempts = 1
    await setting.open()
    return await setting.all(failing)


# --- the gateway is busy ---


async def busy(setting, example):
    result = await setting.run(example, "ask", f"busy {example.name}")
    return result.problem(SHORT) or waited(setting.wires[example.name])


async def fill(gateway):
    """Asks until somebody is turned away; returns those who wait."""
    waiting = []
    while True:
        one = asyncio.ensure_future(gateway.ask("POST", "/v1/ask", "occupied"))
        done, _ = await asyncio.wait([one], timeout=0.5)
        if done:
            return waiting
        waiting.append(one)


async def gateway_busy(setting):
    setting.ollama.free.clear()
    setting.gateway.max_waiting = 4
    await setting.open()
    occupied = await fill(setting.gateway)
    trials = asyncio.ensure_future(setting.all(busy))
    await setting.until("503", lambda wire: 503 in wire.statuses("POST"))
    setting.ollama.free.set()
    if set(await asyncio.gather(*occupied)) != {200}:
        raise RuntimeError("those before them were not served")
    return await trials


# --- negative control: what answers is no gateway ---


async def lied_to(setting, example, kind, verb):
    liar = await Liar(kind).open()
    words = ("ask", "x") if verb == "ask" else ("job", "mine", "x")
    folder = setting.folder / f"{kind} {verb}".replace(" ", "-")
    folder.mkdir(exist_ok=True)
    result = await example.run(liar.port, *words, folder=folder)
    await liar.shut()
    if kind == "truth":
        return result.problem(b"true\n")
    problem = result.no_answer()
    if not problem and kind == "always busy":
        pauses = [after - before for before, after in itertools.pairwise(liar.times)]
        if not 2 <= len(liar.times) <= 5 or min(pauses) < 1 - SLACK:
            problem = f"Retry-After: 1, and tried {len(liar.times)} times with pauses of {pauses}"
    return f"{kind}, {verb}: {problem}" if problem else None


async def lies(setting, example):
    table = itertools.product(Liar.KINDS, ("ask", "job"))
    return first(await asyncio.gather(*(lied_to(setting, example, *lie) for lie in table)))


async def no_gateway(setting):
    return await setting.all(lies)


ALL = {
    "answer after more than one wait": slow_answer,
    "no gateway but a liar": no_gateway,
    "provider away, and back": provider_away,
    "gateway busy": gateway_busy,
    "gateway killed with a job": gateway_killed,
    "device reset with a job": device_reset,
    "connection cut in the answer": answer_cut,
    "20 KiB in bits through 512 bytes": long_answer,
    "wrong requests": wrong_request,
    "job that fails": job_fails,
    "served at once": served_at_once,
}
