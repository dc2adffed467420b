"""An Ollama behind the service that shows what it was really given, as tests/it/support/reader.rs does for the black-box tests.

It cuts what is longer than `num_ctx` without a word, as the real one does, and answers with the facts that are in what is
left. A fact is a word such as FACT-17. It counts tokens as the service estimates them, so that a service that has seen its
counts and one that was just started cut a document alike.
"""

import collections
import json
import re
import threading
import time
from dataclasses import dataclass

from upstream import Handler, Server
from wire import LOCAL

MODEL = "tiny:latest"
LETTERS = re.compile(rb"[a-zA-Z ]+")
FACT = re.compile(r"FACT-\d+")
MARK = re.compile(r"=====DOCUMENT-[0-9a-f]+=====")
FILLER = " ".join(f"and gauge {number} was read" for number in range(100, 200))
NOTES = "Write short notes on this part"


@dataclass
class Call:
    """What it was asked."""

    is_map: bool  # for notes on a piece of the document, and not on notes
    facts: list
    at: object  # when, by the reader's clock


class Reader:
    """The provider on a free port, for the length of a `with`."""

    def __init__(self, context=2048, clock=time.monotonic):
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.context, self.clock = context, clock
        self.calls = []
        self.unmarked = []  # prompts in which no document stands between two marks
        self.cut = 0  # prompts that were longer than their window
        self.pause = lambda: 0  # seconds before an answer
        self.answer_bytes = 0  # at least so long

    def __enter__(self):
        self.server = Server((LOCAL, 0), Asked)
        self.server.reader = self
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://{LOCAL}:{self.server.server_address[1]}"

    def counts(self):
        """Calls for pieces of documents, and calls for notes."""
        with self.lock:
            kinds = collections.Counter(call.is_map for call in self.calls)
        return kinds[True], kinds[False]

    def wait_for_calls(self, number, patience):
        """Whether it has had so many calls in time."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.calls) >= number, patience)

    def take(self, request):
        """Takes a call. Returns the answer's text, and the tokens that were read."""
        messages = [message["content"] for message in request["messages"]]
        whole = "\n".join(messages).encode()
        window = request.get("options", {}).get("num_ctx", 2048)
        tokens = tokens_of(whole)
        read = whole[max(0, len(whole) - window * len(whole) // tokens) :].decode(errors="ignore")
        facts = list(dict.fromkeys(FACT.findall(read)))
        with self.changed:
            self.cut += tokens > window
            if not is_marked(messages):
                self.unmarked.append(messages[-1][:200])
            self.calls.append(Call(messages[-1].startswith(NOTES), facts, self.clock()))
            self.changed.notify_all()
        text = " ".join(facts) + " "
        return text + FILLER[: max(8, self.answer_bytes - len(text))], min(tokens, window)


def tokens_of(text):
    """A quarter of a token a letter, half of one for all else."""
    others = len(LETTERS.sub(b"", text))
    return (len(text) + others) // 4 + 6


def is_marked(messages):
    """Whether the document stands between two of the marks that the system message names."""
    mark = MARK.search(messages[0])
    return len(messages) == 2 and bool(mark) and messages[1].count(mark[0]) == 2


class Asked(Handler):
    def do_GET(self):
        match self.path:
            case "/api/tags":
                model = {"name": MODEL, "model": MODEL, "size": 1, "digest": "00", "details": {}}
                self.reply(200, {"models": [model]})
            case "/api/ps":
                self.reply(200, {"models": []})
            case _:
                self.reply(200, {"version": "0.5.4"})

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the service died in the middle of a call")
        request, reader = json.loads(body), self.server.reader
        if self.path == "/api/show":
            info = {"general.architecture": "llama", "llama.context_length": reader.context}
            self.reply(200, {"details": {"family": "llama"}, "capabilities": ["completion"], "model_info": info})
        elif not request.get("messages"):
            self.lines(line("", done=True, done_reason="load"))
        else:
            text, tokens = reader.take(request)
            time.sleep(reader.pause())
            more = {"done_reason": "stop", "prompt_eval_count": tokens, "eval_count": tokens_of(text.encode())}
            self.lines(line(text, done=False) + line("", done=True, **more))

    def lines(self, text):
        body = text.encode()
        head = f"HTTP/1.1 200 -\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


def line(text, **more):
    message = {"role": "assistant", "content": text}
    return json.dumps({"model": MODEL, "created_at": "2026-01-01T00:00:00Z", "message": message} | more) + "\n"


def paragraphs(count, first=1):
    """A document of paragraphs of about 2 KB, each with one fact."""
    rest = "The rest of it goes on about valves, filters, gauges and the weather of that week, day by day and hour by hour. "
    return "".join(
        f"Paragraph {number} of the report speaks of the plant and its pumps at some length, so that it is not too short "
        f"to be read. In the middle of it stands FACT-{number} for whoever looks. {rest * 14}Here it ends.\n\n"
        for number in range(first, first + count)
    )


def facts(count, first=1):
    """The facts in such a document."""
    return {f"FACT-{number}" for number in range(first, first + count)}
