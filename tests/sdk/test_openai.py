"""What a program on the official OpenAI client sees of a running gateway.

EDGEHOLD_URL   the gateway, without /v1
EDGEHOLD_MODE  what is behind it: `fake` or `real`; `direct` when the URL is a provider itself, which checks these
               tests and shows what the gateway is there to mend
EDGEHOLD_MODELS  names to ask for, with commas between; default: one of each provider that there is
EDGEHOLD_OLLAMA_URL  the Ollama behind the gateway, for the tests that need its own word

Answers are held to their form, and to their text only where a model of 135M parameters can be relied on.
"""

import asyncio
import base64
import json
import os
import re
import urllib.error
import urllib.request

import openai
import pytest
from common import LOCAL, MODE, MODELS, PERSON, URL

OLLAMA_URL = os.environ.get("EDGEHOLD_OLLAMA_URL")
OLLAMA = LOCAL[0]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
OSLO = [{"role": "user", "content": "Use the function for Oslo."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SENTENCE = "The cat sat on the mat. "  # 7 tokens
NUM_CTX = 2048  # what the model is set up with at the Ollama
CONTEXT = 8192  # what the model can take

gateway_only = pytest.mark.skipif(MODE == "direct", reason="a promise of the gateway, not of a provider")


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture(params=[model for model in MODELS if not model.startswith("claude/")])
def embedder(request):
    return request.param


@pytest.fixture
def client():
    # No retries of its own: the gateway's first answer is what is looked at.
    with openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0, timeout=300) as client:
        yield client


def long_prompt(tokens):
    return [{"role": "user", "content": SENTENCE * (tokens // 7) + "What sat on the mat?"}]


# --- chat -------------------------------------------------------------------------------------------------------------


def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=FRANCE, max_tokens=24, temperature=0)
    assert answer.object == "chat.completion" and answer.id and answer.created > 0
    assert len(answer.choices) == 1
    choice = answer.choices[0]
    assert (choice.index, choice.message.role, choice.finish_reason) == (0, "assistant", "stop")
    assert "Paris" in choice.message.content
    assert choice.message.tool_calls is None
    usage = answer.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@gateway_only
def test_chat_tells_who_answered(client, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=FRANCE, max_tokens=24)
    assert raw.headers["x-edgehold-target"] == model
    assert raw.headers["x-edgehold-attempts"] == "1"
    assert raw.headers["x-edgehold-locality"]
    assert raw.headers["x-request-id"] == raw.parse()._request_id
    assert int(raw.headers["content-length"]) == len(raw.content)


@gateway_only
def test_the_alias_takes_its_first_target(client):
    raw = client.chat.completions.with_raw_response.create(model="default", messages=FRANCE, max_tokens=24)
    assert raw.headers["x-edgehold-target"] == LOCAL[0]


def test_chat_of_several_turns_and_parts(client, model):
    messages = [
        {"role": "system", "content": "You answer questions."},
        *FRANCE,
        {"role": "assistant", "content": "The capital of France is Paris."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is the capital"}, {"type": "text", "text": " of Italy?"}],
        },
    ]
    answer = client.chat.completions.create(model=model, messages=messages, max_tokens=24, temperature=0)
    assert "Rome" in answer.choices[0].message.content


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_the_answer_is_kept(client, model, limit):
    answer = client.chat.completions.create(model=model, messages=FRANCE, temperature=0, **{limit: 3})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


# --- streams ----------------------------------------------------------------------------------------------------------


def check_stream(chunks):
    """What holds for every stream; returns its text and its finish reason."""
    assert len({(chunk.id, chunk.model) for chunk in chunks}) == 1
    # llama-server gives each event the time of its own.
    assert [chunk.created for chunk in chunks] == sorted(chunk.created for chunk in chunks)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert choices[0].delta.role == "assistant"
    reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
    assert len(reasons) == 1 and choices[-1].finish_reason == reasons[0]
    return "".join(choice.delta.content or "" for choice in choices), reasons[0]


def test_stream(client, model):
    chunks = list(
        client.chat.completions.create(model=model, messages=FRANCE, max_tokens=24, temperature=0, stream=True)
    )
    text, reason = check_stream(chunks)
    assert "Paris" in text and reason == "stop"
    # It came in pieces: one chunk would mean that the stream was collected on its way.
    assert sum(bool(choice.delta.content) for chunk in chunks for choice in chunk.choices) >= 3
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client, model):
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=FRANCE,
            max_tokens=24,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text, _ = check_stream(chunks)
    assert "Paris" in text
    *rest, last = chunks
    assert last.choices == [] and all(chunk.choices and chunk.usage is None for chunk in rest)
    assert last.usage.prompt_tokens > 0 and last.usage.completion_tokens > 0
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


def test_a_stream_ends_with_its_mark(client, model):
    """The client hides [DONE], and takes a connection that merely closes for an end as well."""
    body = {"model": model, "messages": FRANCE, "max_tokens": 8, "stream": True}
    request = urllib.request.Request(
        f"{URL}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert answer.headers.get_content_type() == "text/event-stream"
        raw = answer.read().decode()
    assert raw.endswith("data: [DONE]\n\n") and raw.count("[DONE]") == 1


def test_a_stream_can_be_left_early(client, model):
    with client.chat.completions.create(model=model, messages=FRANCE, max_tokens=24, stream=True) as stream:
        next(iter(stream))
    answer = client.chat.completions.create(model=model, messages=FRANCE, max_tokens=24, temperature=0)
    assert "Paris" in answer.choices[0].message.content


# --- tools ------------------------------------------------------------------------------------------------------------


def test_tool_call(client, model):
    answer = client.chat.completions.create(model=model, messages=OSLO, tools=[WEATHER], max_tokens=60, temperature=0)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.id and call.type == "function" and call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


def test_tool_call_streamed(client, model):
    chunks = list(
        client.chat.completions.create(
            model=model, messages=OSLO, tools=[WEATHER], max_tokens=60, temperature=0, stream=True
        )
    )
    _, reason = check_stream(chunks)
    assert reason == "tool_calls"
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert {call.index for call in deltas} == {0}
    assert deltas[0].id and deltas[0].function.name == "get_weather"
    assert not any(call.id or call.function.name for call in deltas[1:])
    assert json.loads("".join(call.function.arguments or "" for call in deltas)) == {"city": "Oslo"}


def test_a_tools_result_is_answered(client, model):
    first = client.chat.completions.create(model=model, messages=OSLO, tools=[WEATHER], max_tokens=60, temperature=0)
    call = first.choices[0].message.tool_calls[0]
    messages = [
        *OSLO,
        first.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "Oslo: 4 degrees, rain"},
    ]
    answer = client.chat.completions.create(
        model=model, messages=messages, tools=[WEATHER], max_tokens=40, temperature=0
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")


# --- answers in a given form ------------------------------------------------------------------------------------------


def test_json_schema(client, model):
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Give me a person named Ann aged 7"}],
        response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
        max_tokens=60,
        temperature=0,
    )
    person = json.loads(answer.choices[0].message.content)
    assert set(person) == {"name", "age"}
    assert isinstance(person["name"], str) and isinstance(person["age"], int)


# --- embeddings -------------------------------------------------------------------------------------------------------


def check_vectors(answer):
    assert answer.object == "list"
    assert [item.index for item in answer.data] == [0, 1]
    assert [len(item.embedding) for item in answer.data] == [576, 576]
    assert all(isinstance(value, float) for item in answer.data for value in item.embedding)
    assert answer.data[0].embedding != answer.data[1].embedding
    # Gemini does not say what vectors cost.
    assert answer.usage.prompt_tokens > 0 or answer.model.startswith("gemini/")


def test_embeddings_as_the_client_asks_for_them(client, embedder):
    """It asks for base64 by itself, and unpacks it: what is not base64 of 4-byte floats shows here."""
    check_vectors(client.embeddings.create(model=embedder, input=["hello", "a quite different text"]))


def test_embeddings_as_numbers(client, embedder):
    texts = ["hello", "a quite different text"]
    check_vectors(client.embeddings.create(model=embedder, input=texts, encoding_format="float"))


def test_both_encodings_are_the_same_vector(client, embedder):
    numbers = client.embeddings.create(model=embedder, input="hello", encoding_format="float").data[0].embedding
    packed = client.embeddings.create(model=embedder, input="hello").data[0].embedding
    assert packed == pytest.approx(numbers, abs=1e-5)


def test_base64_is_left_packed_when_asked_for(client, embedder):
    answer = client.embeddings.create(model=embedder, input="hello", encoding_format="base64")
    assert len(base64.b64decode(answer.data[0].embedding)) == 576 * 4


# --- models -----------------------------------------------------------------------------------------------------------


def test_models_list(client):
    listed = client.models.list()
    assert all(item.object == "model" and item.id for item in listed)
    names = [item.id for item in listed]
    assert len(names) == len(set(names))
    # Models are listed under the provider's name, with the aliases.
    assert set(MODELS) <= set(names)
    assert MODE == "direct" or "default" in names


def test_models_retrieve(client, model):
    """The client sends the slash of a target as %2F."""
    assert client.models.retrieve(model).id == model


@gateway_only
def test_models_retrieve_alias(client):
    alias = client.models.retrieve("default")
    assert alias.id == "default" and alias.object == "model"
    targets = alias.model_extra["edgehold"]["targets"]
    assert [target["target"] for target in targets] == LOCAL
    assert targets[0]["verdict"] == "taken"


def test_models_retrieve_unknown(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nope")
    assert MODE == "direct" or caught.value.code == "model_not_found"


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(client, stream):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nope", messages=FRANCE, stream=stream)
    assert caught.value.code == "model_not_found"
    assert "nope" in caught.value.message
    assert MODE == "direct" or "default" in caught.value.message  # the names that there are


def test_unknown_model_of_a_known_provider(client):
    provider = MODELS[0].rpartition("/")[0]
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=f"{provider}/nope".lstrip("/"), messages=FRANCE)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": "hello"},
        {"messages": [{"content": "no role"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": []},
        {"max_tokens": "many"},
        {"temperature": "hot"},
        {"tools": "none"},
    ],
    ids=str,
)
def test_bad_request(client, model, wrong):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, **({"messages": FRANCE, "max_tokens": 4} | wrong))
    assert caught.value.type == "invalid_request_error"
    assert MODE == "direct" or next(iter(wrong)) in f"{caught.value.param} {caught.value.message}"


def test_bad_json():
    request = urllib.request.Request(
        f"{URL}/v1/chat/completions", b'{"model": "default", ', {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 400
    assert set(json.load(caught.value)["error"]) >= {"message", "type", "param", "code"}


# --- the asynchronous client ------------------------------------------------------------------------------------------


def test_async_client(model):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0, timeout=300) as client:
            # Together: the on-device model takes one at a time, the others wait for their turn.
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(model=model, messages=FRANCE, max_tokens=24, temperature=0)
                    for _ in range(3)
                )
            )
            stream = await client.chat.completions.create(
                model=model, messages=FRANCE, max_tokens=24, temperature=0, stream=True
            )
            return answers, [chunk async for chunk in stream]

    answers, chunks = asyncio.run(ask())
    assert all("Paris" in answer.choices[0].message.content for answer in answers)
    assert "Paris" in check_stream(chunks)[0]


# --- the context of the on-device model -------------------------------------------------------------------------------


@pytest.mark.skipif(OLLAMA_URL is None, reason="needs the address of the Ollama")
def test_ollama_by_itself_cuts_a_long_prompt():
    """The control for the next test: asked directly, Ollama drops most of the prompt and reports success."""
    body = {
        "model": "smollm2:135m",
        "messages": long_prompt(3000),
        "stream": False,
        "options": {"num_predict": 4},
    }
    request = urllib.request.Request(f"{OLLAMA_URL}/api/chat", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert json.load(answer)["prompt_eval_count"] == NUM_CTX


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_prompt_is_not_cut(client, stream):
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = client.chat.completions.create(
        model=MODELS[0], messages=long_prompt(3000), max_tokens=16, temperature=0, **options
    )
    usage = list(answer)[-1].usage if stream else answer.usage
    assert usage.prompt_tokens > 2900


def numbers_in(text):
    return [int(number) for number in re.findall(r"\d+", re.sub(r"(?<=\d)[ ,](?=\d{3})", "", text))]


@gateway_only
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_the_model_cannot_take_is_refused(client, stream):
    """Any estimate sees that this one is too long, so it is refused with both numbers."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODELS[0], messages=long_prompt(14000), max_tokens=16, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    assert CONTEXT in numbers_in(caught.value.message)
    assert any(number > CONTEXT for number in numbers_in(caught.value.message)), caught.value.message


@gateway_only
def test_a_prompt_a_little_too_long_is_refused(client):
    """At 4 bytes a token it would just fit; it does not, and then what Ollama cut must not pass for an answer."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODELS[0], messages=long_prompt(9100), max_tokens=16)
    assert caught.value.code == "context_length_exceeded"
    assert CONTEXT in numbers_in(caught.value.message), caught.value.message
