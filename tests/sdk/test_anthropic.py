"""What a program on the official Anthropic client sees of a running gateway, whoever answers."""

import anthropic
import pytest
from common import CITY, MODE, MODELS, OSLO, QUESTION, URL

TOOLS = [{"name": "get_weather", "description": "Get the weather of a city", "input_schema": CITY}]
FRANCE = [{"role": "user", "content": QUESTION}]
# The client has no parameter for it any more; the gateway's other targets still know it.
EXACT = {"extra_body": {"temperature": 0}}
fake_only = pytest.mark.skipif(MODE != "fake", reason="a model of 135M parameters calls no tools reliably")


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture
def client():
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0, timeout=300) as client:
        yield client


def test_message(client, model):
    answer = client.messages.create(model=model, max_tokens=24, messages=FRANCE, **EXACT)
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [block.type for block in answer.content] == ["text"]
    assert "Paris" in answer.content[0].text
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    assert answer._request_id


def test_a_system_prompt_as_blocks(client, model):
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    answer = client.messages.create(model=model, max_tokens=24, system=system, messages=FRANCE, **EXACT)
    # What "Be brief." does to so small a model is its own affair.
    assert answer.content[0].text if MODE == "real" else "Paris" in answer.content[0].text


def test_the_stream_helper(client, model):
    with client.messages.stream(model=model, max_tokens=24, messages=FRANCE, **EXACT) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == final.content[0].text
    assert "Paris" in final.content[0].text and final.stop_reason == "end_turn"
    assert final.usage.input_tokens > 0 and final.usage.output_tokens > 0


def test_raw_events_are_in_order(client, model):
    stream = client.messages.create(model=model, max_tokens=24, messages=FRANCE, stream=True, **EXACT)
    kinds = [event.type for event in stream if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_limit_is_a_stop_reason(client, model):
    answer = client.messages.create(model=model, max_tokens=2, messages=FRANCE)
    assert answer.stop_reason == "max_tokens"


@fake_only
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_answered(client, model, streamed):
    ask = dict(model=model, max_tokens=64, tools=TOOLS)
    turns = [{"role": "user", "content": OSLO}]
    if streamed:
        with client.messages.stream(messages=turns, **ask) as stream:
            first = stream.get_final_message()
    else:
        first = client.messages.create(messages=turns, **ask)
    assert first.stop_reason == "tool_use"
    call = next(block for block in first.content if block.type == "tool_use")
    assert (call.name, call.input) == ("get_weather", {"city": "Oslo"}) and call.id
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "7 degrees"}
    turns += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(messages=turns, **ask)
    assert "7 degrees" in second.content[0].text and second.stop_reason == "end_turn"


def test_tokens_are_counted(client, model):
    counted = client.messages.with_raw_response.count_tokens(model=model, messages=FRANCE)
    assert 5 < counted.parse().input_tokens < 40
    is_exact = model.startswith("claude/")
    assert counted.headers.get("x-edgehold-estimate") == (None if is_exact else "true")


def test_models_are_listed(client):
    names = [it.id for it in client.models.list()]
    assert "default" in names and MODELS[0] in names


def test_errors_have_their_types(client, model):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nowhere/none", max_tokens=1, messages=FRANCE)
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=model, max_tokens=1, messages=[{"role": "oracle", "content": "x"}])
    assert "messages[0].role" in str(caught.value)
    assert caught.value.request_id


@pytest.mark.anyio
async def test_the_async_client(model):
    async with anthropic.AsyncAnthropic(base_url=URL, api_key="unused", max_retries=0, timeout=300) as client:
        answer = await client.messages.create(model=model, max_tokens=24, messages=FRANCE, **EXACT)
        assert "Paris" in answer.content[0].text


@pytest.fixture
def anyio_backend():
    return "asyncio"
