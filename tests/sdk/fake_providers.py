"""Stand-ins for an Ollama, an OpenAI-compatible service, Anthropic and Gemini, for tests and for the demo without a model.

    fake_providers.py ollama|openai|anthropic|gemini PORT

They know one model, smollm2:135m, and a few fixed answers. What counts is the form: the fake Ollama behaves like
0.5.4, its bad habits included. It cuts a prompt to `num_ctx` without a word, ignores `truncate`, and answers 403 to a
Host that is no local name and to a foreign Origin.
"""

import base64
import http.server
import json
import re
import struct
import sys
import time
import uuid

MODEL = "smollm2:135m"
CONTEXT = 8192  # tokens that the model itself can take
DEFAULT_NUM_CTX = 2048  # what it is set up with
DIMENSIONS = 576
PACE = 0.01  # seconds between the pieces of a stream
PATIENCE = ("Take your time", 60)  # to this it says nothing for so many seconds
ANSWERS = {
    "France": "The capital of France is Paris.",
    "Italy": "The capital of Italy is Rome.",
}


class Refused(Exception):
    """A request that is answered with an error: HTTP status, message and OpenAI's code."""

    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def text_of(message):
    """The text of a message, whose content may be a string, a list of parts or absent."""
    content = message.get("content") or ""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content


def count_tokens(text):
    """Words and punctuation marks: for plain English about what a real tokenizer counts."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def example(schema):
    """The smallest value that fits a JSON schema."""
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object":
        return {name: example(inner) for name, inner in schema.get("properties", {}).items()}
    return {"integer": 7, "number": 7, "boolean": True, "array": []}.get(kind, "Ann")


def reply(messages, tools, schema):
    """What the model says: (text, None), or ("", (function, arguments))."""
    last = messages[-1]
    if PATIENCE[0] in text_of(last):
        time.sleep(PATIENCE[1])
    if tools and last["role"] != "tool":
        function = tools[0]["function"]
        names = re.findall(r"\b[A-Z][a-z]+\b", text_of(last))
        arguments = {name: names[-1] if names else "" for name in list(function["parameters"]["properties"])[:1]}
        return "", (function["name"], arguments)
    if schema is not None:
        return json.dumps(example(schema)), None
    if last["role"] == "tool":
        return f"The function says: {text_of(last)}", None
    known = [answer for word, answer in ANSWERS.items() if word in text_of(last)]
    return known[0] if known else "This is the fixed answer of a stand-in, and no model wrote it.", None


def pieces(text, limit):
    """The text in pieces of one token each, at most `limit` of them; and why it ended."""
    tokens = re.findall(r"\s*(?:\w+|[^\w\s])", text)
    if limit is not None and 0 <= limit < len(tokens):
        return tokens[:limit], "length"
    return tokens, "stop"


def vector(text):
    """An embedding that depends on the text and has length 1."""
    seed = sum(text.encode())
    values = [((seed + index * 37) % 97) - 48 for index in range(DIMENSIONS)]
    norm = sum(value * value for value in values) ** 0.5
    return [value / norm for value in values]


class Fake(http.server.BaseHTTPRequestHandler):
    """What both stand-ins share: JSON in, JSON or a stream out."""

    protocol_version = "HTTP/1.1"
    paths = {}  # (method, path) -> name of the method that answers
    wrong_type = 400  # the status for a field of the wrong type

    def log_message(self, *_):
        """Nothing is logged: prompts are nobody's business."""

    def do_GET(self):  # noqa: N802, the name is the base class's
        self.answer("GET")

    def do_HEAD(self):  # noqa: N802
        self.answer("GET")

    def do_POST(self):  # noqa: N802
        self.answer("POST")

    def answer(self, method):
        body = self.read_body()
        path = self.path.split("?")[0]
        try:
            self.guard()
            name = self.paths.get((method, path))
            if name is None:
                raise Refused(404, "404 page not found")
            try:
                getattr(self, name)(*([self.parse(body)] if method == "POST" else []))
            except (AttributeError, LookupError, TypeError, ValueError) as problem:
                raise Refused(self.wrong_type, f"{type(problem).__name__}: {problem}") from problem
        except Refused as refused:
            self.send_json(self.error(refused), refused.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def parse(self, body):
        try:
            request = json.loads(body or b"null")
        except ValueError as problem:
            raise Refused(400, str(problem)) from problem
        if not isinstance(request, dict):
            raise Refused(400, "missing request body")
        self.check_model(request.get("model"))
        return request

    def check_messages(self, request):
        messages = request.get("messages")
        if not isinstance(messages, list) or not all(isinstance(m, dict) and "role" in m for m in messages):
            raise Refused(400, "messages must be an array of objects with a role")
        return messages

    def send_json(self, value, status=200):
        self.send_bytes(json.dumps(value).encode(), "application/json", status)

    def send_bytes(self, body, kind, status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_stream(self, kind, parts):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            time.sleep(PACE)
        self.wfile.write(b"0\r\n\r\n")

    def guard(self):
        """Refuses a request before its body is looked at."""

    def check_model(self, name):
        raise NotImplementedError

    def error(self, refused):
        raise NotImplementedError


class Ollama(Fake):
    """Ollama's native API."""

    loaded = False
    wrong_type = 500  # though the client's fault
    paths = {
        ("GET", "/"): "root",
        ("GET", "/api/version"): "version",
        ("GET", "/api/tags"): "tags",
        ("GET", "/api/ps"): "ps",
        ("POST", "/api/show"): "show",
        ("POST", "/api/chat"): "chat",
        ("POST", "/api/generate"): "generate",
        ("POST", "/api/embed"): "embed",
    }

    def guard(self):
        host = re.sub(r":\d+$", "", self.headers.get("Host", ""))
        local = re.fullmatch(r"localhost|[\d.]+|\[[\da-f:]+\]|.*\.(local|localhost|internal)", host)
        origin = self.headers.get("Origin")
        if not local or (origin and not re.match(r"https?://(localhost|127\.0\.0\.1)(:|$)", origin)):
            raise Refused(403, "")

    def check_model(self, name):
        if not name:
            raise Refused(400, "model is required")
        if name != MODEL:
            raise Refused(404, f'model "{name}" not found, try pulling it first')

    def error(self, refused):
        return {"error": refused.message}

    def root(self):
        self.send_bytes(b"Ollama is running", "text/plain; charset=utf-8")

    def version(self):
        self.send_json({"version": "0.5.4-fake"})

    def card(self):
        details = {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "134.52M"}
        return {"name": MODEL, "model": MODEL, "size": 98363870, "digest": "0" * 64, "details": details}

    def tags(self):
        self.send_json({"models": [self.card() | {"modified_at": now()}]})

    def ps(self):
        self.send_json({"models": [self.card() | {"expires_at": now(), "size_vram": 0}] if Ollama.loaded else []})

    def show(self, _request):
        info = {"general.architecture": "llama", "llama.context_length": CONTEXT, "llama.embedding_length": DIMENSIONS}
        parameters = f"num_ctx                        {DEFAULT_NUM_CTX}"
        self.send_json({"parameters": parameters, "details": self.card()["details"], "model_info": info})

    def chat(self, request):
        messages = request.get("messages") or []
        streamed = request.get("stream", True)
        Ollama.loaded = True
        if not messages:
            unload = request.get("keep_alive") in (0, "0", "0s")
            Ollama.loaded = not unload
            self.send_json(self.line("", done=True, done_reason="unload" if unload else "load"))
            return
        self.check_messages(request)
        if not all(isinstance(message.get("content", ""), str) for message in messages):
            raise Refused(400, "json: cannot unmarshal array into Go struct field .content of type string")
        options = request.get("options") or {}
        wanted = request.get("format")
        schema = wanted if isinstance(wanted, dict) else {"type": "object"} if wanted else None
        text, call = reply(messages, request.get("tools"), schema)
        parts, reason = pieces(text, options.get("num_predict"))
        # Tokens that the chat template puts around each message; and what does not fit is cut.
        prompt = sum(count_tokens(text_of(message)) + 6 for message in messages)
        counts = {
            "prompt_eval_count": min(prompt, options.get("num_ctx", DEFAULT_NUM_CTX)),
            "eval_count": max(len(parts), 1),
        }
        durations = {name: 1000000 for name in ("load_duration", "prompt_eval_duration", "eval_duration")}
        last = {"done": True, "done_reason": reason, "total_duration": 3000000} | durations | counts
        calls = {"tool_calls": [{"function": {"name": call[0], "arguments": call[1]}}]} if call else {}
        if not streamed:
            self.send_json(self.line("".join(parts), calls, **last))
            return
        lines = [self.line(part, done=False) for part in parts]
        lines += [self.line("", calls, done=False)] if calls else []
        lines.append(self.line("", **last))
        self.send_stream("application/x-ndjson", (json.dumps(line).encode() + b"\n" for line in lines))

    def generate(self, request):
        if not request.get("prompt"):
            self.send_json({"model": MODEL, "created_at": now(), "response": "", "done": True, "done_reason": "load"})
            return
        text, _ = reply([{"role": "user", "content": request["prompt"]}], None, None)
        parts, reason = pieces(text, (request.get("options") or {}).get("num_predict"))
        lines = [{"model": MODEL, "created_at": now(), "response": part, "done": False} for part in parts]
        counts = {"prompt_eval_count": count_tokens(request["prompt"]) + 6, "eval_count": len(parts)}
        last = {"done": True, "done_reason": reason, "context": [1, 2], "total_duration": 3000000}
        lines.append({"model": MODEL, "created_at": now(), "response": ""} | last | counts)
        self.send_stream("application/x-ndjson", (json.dumps(line).encode() + b"\n" for line in lines))

    def line(self, text, calls=None, **rest):
        message = {"role": "assistant", "content": text} | (calls or {})
        return {"model": MODEL, "created_at": now(), "message": message} | rest

    def embed(self, request):
        Ollama.loaded = True
        texts = request.get("input", [])
        texts = [texts] if isinstance(texts, str) else texts
        count = sum(count_tokens(text) for text in texts)
        self.send_json({"model": MODEL, "embeddings": [vector(text) for text in texts], "prompt_eval_count": count})


class OpenAi(Fake):
    """OpenAI's API."""

    paths = {
        ("GET", "/v1/models"): "models",
        ("GET", f"/v1/models/{MODEL}"): "model",
        ("POST", "/v1/chat/completions"): "chat",
        ("POST", "/v1/completions"): "complete",
        ("POST", "/v1/embeddings"): "embeddings",
    }

    def check_model(self, name):
        if name != MODEL:
            raise Refused(404, f"The model `{name}` does not exist", "model_not_found")

    def error(self, refused):
        return {
            "error": {
                "message": refused.message,
                "type": "invalid_request_error",
                "param": None,
                "code": refused.code,
            }
        }

    def card(self):
        return {"id": MODEL, "object": "model", "created": 1700000000, "owned_by": "fake"}

    def models(self):
        self.send_json({"object": "list", "data": [self.card()]})

    def model(self):
        self.send_json(self.card())

    def chat(self, request):
        messages = self.check_messages(request)
        if not messages:
            raise Refused(400, "messages is empty")
        limit = request.get("max_completion_tokens", request.get("max_tokens"))
        if limit is not None and not isinstance(limit, int):
            raise Refused(400, "max_tokens must be an integer")
        if not isinstance(request.get("temperature", 0), (int, float, type(None))):
            raise Refused(400, "temperature must be a number")
        prompt = sum(count_tokens(text_of(message)) + 6 for message in messages)
        if prompt > CONTEXT:
            message = f"This model's maximum context length is {CONTEXT} tokens. Your messages have {prompt} tokens."
            raise Refused(400, message, "context_length_exceeded")
        wanted = request.get("response_format") or {}
        schema = wanted.get("json_schema", {}).get("schema", {"type": "object"})
        schema = schema if wanted.get("type", "text") != "text" else None
        text, call = reply(messages, request.get("tools"), schema)
        parts, reason = pieces(text, limit)
        usage = {"prompt_tokens": prompt, "completion_tokens": len(parts), "total_tokens": prompt + len(parts)}
        stamp = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
        if request.get("stream"):
            asked = (request.get("stream_options") or {}).get("include_usage")
            chunks = self.chunks(stamp, parts, call, reason, usage if asked else None)
            self.send_stream("text/event-stream", chunks)
            return
        message = {"role": "assistant", "content": "".join(parts)}
        if call:
            function = {"name": call[0], "arguments": json.dumps(call[1])}
            message = message | {"content": None}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
            reason = "tool_calls"
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        self.send_json(stamp | {"object": "chat.completion", "choices": [choice], "usage": usage})

    def complete(self, request):
        text, _ = reply([{"role": "user", "content": request["prompt"]}], None, None)
        parts, reason = pieces(text, request.get("max_tokens"))
        prompt = count_tokens(request["prompt"])
        usage = {"prompt_tokens": prompt, "completion_tokens": len(parts), "total_tokens": prompt + len(parts)}
        stamp = {"id": "cmpl-1", "object": "text_completion", "created": int(time.time()), "model": MODEL}
        choice = {"index": 0, "logprobs": None}
        if not request.get("stream"):
            choices = [choice | {"text": "".join(parts), "finish_reason": reason}]
            self.send_json(stamp | {"choices": choices, "usage": usage})
            return
        frames = [frame(stamp | {"choices": [choice | {"text": part, "finish_reason": None}]}) for part in parts]
        frames.append(frame(stamp | {"choices": [choice | {"text": "", "finish_reason": reason}]}))
        self.send_stream("text/event-stream", frames + [b"data: [DONE]\n\n"])

    def chunks(self, stamp, parts, call, reason, usage):
        """The frames of a stream; a call's arguments come in fragments, as OpenAI sends them."""
        deltas = [{"role": "assistant", "content": "" if call is None else None}]
        deltas += [{"content": part} for part in parts]
        if call:
            reason = "tool_calls"
            first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": call[0], "arguments": ""}}
            text = json.dumps(call[1])
            fragments = [text[at : at + 5] for at in range(0, len(text), 5)]
            deltas.append({"tool_calls": [first]})
            deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in fragments]
        bodies = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
        bodies.append([{"index": 0, "delta": {}, "finish_reason": reason}])
        envelope = stamp | {"object": "chat.completion.chunk"} | ({"usage": None} if usage else {})
        for choices in bodies:
            yield frame(envelope | {"choices": choices})
        if usage:
            yield frame(envelope | {"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def embeddings(self, request):
        texts = request.get("input", [])
        texts = [texts] if isinstance(texts, str) else texts
        vectors = [vector(text) for text in texts]
        if request.get("encoding_format") == "base64":
            vectors = [base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *values)).decode() for values in vectors]
        data = [{"object": "embedding", "index": index, "embedding": values} for index, values in enumerate(vectors)]
        count = sum(count_tokens(text) for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        self.send_json({"object": "list", "model": MODEL, "data": data, "usage": usage})


class Anthropic(Fake):
    """Anthropic's API."""

    paths = {
        ("GET", "/v1/models"): "models",
        ("POST", "/v1/messages"): "messages",
        ("POST", "/v1/messages/count_tokens"): "count",
    }

    def guard(self):
        if self.command == "POST" and self.headers.get("anthropic-version") != "2023-06-01":
            raise Refused(400, "anthropic-version: header is required", "invalid_request_error")

    def check_model(self, name):
        if name != MODEL:
            raise Refused(404, f"model: {name}", "not_found_error")

    def error(self, refused):
        return {"type": "error", "error": {"type": refused.code or "invalid_request_error", "message": refused.message}}

    def models(self):
        card = {"type": "model", "id": MODEL, "display_name": MODEL, "created_at": now()}
        self.send_json({"data": [card], "has_more": False, "first_id": MODEL, "last_id": MODEL})

    def turns(self, request):
        """The turns, with results of tools as turns of their own, which is how `reply` knows them."""
        messages = self.check_messages(request)
        if messages[0]["role"] != "user":
            raise Refused(400, "messages: first message must use the \"user\" role")
        turns = []
        for message in messages:
            blocks = message["content"]
            blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
            if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
                raise Refused(400, "messages: text content blocks must be non-empty")
            results = [block for block in blocks if block["type"] == "tool_result"]
            turns += [{"role": "tool", "content": text_of(result)} for result in results]
            texts = [block for block in blocks if block["type"] == "text"]
            turns += [{"role": message["role"], "content": texts}] if texts else []
        return turns

    def prompt(self, request):
        return sum(count_tokens(text_of(turn)) + 6 for turn in self.turns(request))

    def count(self, request):
        self.send_json({"input_tokens": self.prompt(request)})

    def messages(self, request):
        if not isinstance(request.get("max_tokens"), int):
            raise Refused(400, "max_tokens: Field required")
        turns = self.turns(request)
        tools = [tool for tool in request.get("tools") or [] if (request.get("tool_choice") or {}).get("type") != "none"]
        wanted = (request.get("output_config") or {}).get("format")
        answers = bool(tools) and tools[0]["name"] == "edgehold_answer"
        schema = wanted["schema"] if wanted else tools[0]["input_schema"] if answers else None
        functions = [{"function": {"name": it["name"], "parameters": it["input_schema"]}} for it in tools]
        text, call = reply(turns, None if answers else functions, schema)
        if answers:
            text, call = "", ("edgehold_answer", json.loads(text))
        parts, reason = pieces(text, request["max_tokens"])
        stop = "tool_use" if call else {"stop": "end_turn", "length": "max_tokens"}[reason]
        usage = {"input_tokens": self.prompt(request), "output_tokens": max(len(parts), 1)}
        usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        content = [{"type": "text", "text": "".join(parts)}] if parts else []
        if call:
            content.append({"type": "tool_use", "id": "toolu_1", "name": call[0], "input": call[1]})
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content}
        message |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
        if request.get("stream"):
            self.send_stream("text/event-stream", self.events(message, parts, call))
        else:
            self.send_json(message)

    def events(self, message, parts, call):
        yield event({"type": "message_start", "message": message | {"content": [], "stop_reason": None}})
        yield event({"type": "ping"})
        index = 0
        if parts:
            deltas = [{"type": "text_delta", "text": part} for part in parts]
            yield from self.block(0, {"type": "text", "text": ""}, deltas)
            index = 1
        if call:
            start = message["content"][-1] | {"input": {}}
            text = json.dumps(call[1])
            deltas = [{"type": "input_json_delta", "partial_json": text[at : at + 5]} for at in range(0, len(text), 5)]
            yield from self.block(index, start, deltas)
        delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        yield event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": message["usage"]["output_tokens"]}})
        yield event({"type": "message_stop"})

    def block(self, index, start, deltas):
        yield event({"type": "content_block_start", "index": index, "content_block": start})
        for delta in deltas:
            yield event({"type": "content_block_delta", "index": index, "delta": delta})
        yield event({"type": "content_block_stop", "index": index})


class Gemini(Fake):
    """Gemini's API."""

    paths = {
        ("GET", "/v1beta/models"): "models",
        ("POST", f"/v1beta/models/{MODEL}:generateContent"): "whole",
        ("POST", f"/v1beta/models/{MODEL}:streamGenerateContent"): "stream",
        ("POST", f"/v1beta/models/{MODEL}:batchEmbedContents"): "embed",
    }

    def check_model(self, name):
        """It stands in the path."""

    def error(self, refused):
        return {"error": {"code": refused.status, "message": refused.message, "status": "INVALID_ARGUMENT"}}

    def models(self):
        self.send_json({"models": [{"name": f"models/{MODEL}"}]})

    def answer_to(self, request):
        turns = []
        for content in request["contents"]:
            results = [part["functionResponse"]["response"] for part in content["parts"] if "functionResponse" in part]
            turns += [{"role": "tool", "content": result.get("output", "")} for result in results]
            texts = [part for part in content["parts"] if "text" in part]
            turns += [{"role": content["role"], "content": texts}] if texts else []
        config = request.get("generationConfig", {})
        schema = config.get("responseJsonSchema")
        if schema is None and config.get("responseMimeType") == "application/json":
            schema = {"type": "object"}
        declared = [tool for tools in request.get("tools", []) for tool in tools["functionDeclarations"]]
        functions = [{"function": {"name": it["name"], "parameters": it["parametersJsonSchema"]}} for it in declared]
        text, call = reply(turns, functions, schema)
        parts, reason = pieces(text, config.get("maxOutputTokens"))
        prompt = sum(count_tokens(text_of(turn)) + 6 for turn in turns)
        usage = {"promptTokenCount": prompt, "candidatesTokenCount": max(len(parts), 1)}
        usage["totalTokenCount"] = prompt + usage["candidatesTokenCount"]
        parts = [{"text": part} for part in parts]
        if call:
            parts.append({"functionCall": {"name": call[0], "args": call[1]}, "thoughtSignature": "c2VhbA=="})
        return parts, {"stop": "STOP", "length": "MAX_TOKENS"}[reason], usage

    def body(self, parts, reason, usage):
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        candidate |= {"finishReason": reason} if reason else {}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL}

    def whole(self, request):
        self.send_json(self.body(*self.answer_to(request)))

    def stream(self, request):
        if "alt=sse" not in self.path:
            raise Refused(400, "only alt=sse is spoken here")
        parts, reason, usage = self.answer_to(request)
        bodies = [self.body([part], reason if part is parts[-1] else None, usage) for part in parts]
        self.send_stream("text/event-stream", (b"data: %s\r\n\r\n" % json.dumps(body).encode() for body in bodies))

    def embed(self, request):
        texts = [one["content"]["parts"][0]["text"] for one in request["requests"]]
        self.send_json({"embeddings": [{"values": vector(text)} for text in texts]})


def event(value):
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def frame(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def main():
    kinds = {"anthropic": Anthropic, "gemini": Gemini, "ollama": Ollama, "openai": OpenAi}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), kinds[sys.argv[1]])
    server.serve_forever()


if __name__ == "__main__":
    main()
