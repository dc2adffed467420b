"""OpenAI's Responses, its parsing helpers and its older completions, by its own client, whoever answers."""

import json
import time

import openai
import pydantic
import pytest
from common import CITY, MODE, MODELS, OSLO, PERSON, QUESTION, URL

TOOL = {"type": "function", "name": "get_weather", "description": "Get the weather", "parameters": CITY, "strict": False}
fake_only = pytest.mark.skipif(MODE != "fake", reason="a model of 135M parameters calls no tools reliably")


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture
def client():
    with openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0, timeout=300) as client:
        yield client


def test_a_response(client, model):
    answer = client.responses.create(model=model, input=QUESTION, max_output_tokens=24, temperature=0, store=False)
    assert (answer.object, answer.status, answer.error) == ("response", "completed", None)
    assert "Paris" in answer.output_text
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    assert answer.temperature == 0 and answer.max_output_tokens == 24


def test_instructions_and_turns(client, model):
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
        {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
    ]
    answer = client.responses.create(model=model, instructions="Be brief.", input=turns, max_output_tokens=24, temperature=0)
    assert "Paris" in answer.output_text and answer.instructions == "Be brief."


def test_the_stream_helper(client, model):
    with client.responses.stream(model=model, input=QUESTION, max_output_tokens=24, temperature=0) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(pieces) > 1 and "".join(pieces) == final.output_text
    assert "Paris" in final.output_text and final.usage.output_tokens > 0


def test_a_limit_is_incomplete(client, model):
    answer = client.responses.create(model=model, input=QUESTION, max_output_tokens=2, temperature=0)
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"


@fake_only
@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_is_called_and_answered(client, model, streamed):
    turns = [{"role": "user", "content": OSLO}]
    if streamed:
        with client.responses.stream(model=model, input=turns, tools=[TOOL]) as stream:
            for _ in stream:
                pass
            first = stream.get_final_response()
    else:
        first = client.responses.create(model=model, input=turns, tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
    turns.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
    turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees"})
    assert "7 degrees" in client.responses.create(model=model, input=turns, tools=[TOOL]).output_text


def test_structured_answers_are_parsed(client, model):
    answer = client.responses.parse(model=model, input="Ann is 7.", text_format=Person)
    assert isinstance(answer.output_parsed, Person)
    chat = client.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": "Ann is 7."}], response_format=Person
    )
    assert isinstance(chat.choices[0].message.parsed, Person)


@fake_only
def test_the_tools_helper(client, model):
    class GetWeather(pydantic.BaseModel):
        city: str

    answer = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": OSLO}],
        tools=[openai.pydantic_function_tool(GetWeather)],
    )
    call = answer.choices[0].message.tool_calls[0].function
    assert call.parsed_arguments == GetWeather(city="Oslo")


def test_what_needs_a_memory_is_refused_by_name(client, model):
    for field, value in [("previous_response_id", "resp_1"), ("conversation", "conv_1")]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=model, input="x", **{field: value})
        assert caught.value.param == field
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="x", tools=[{"type": "web_search"}])
    assert caught.value.param == "tools[0].type"


WAITING = ("queued", "in_progress")


def ended(client, response):
    """The response once it has ended, as OpenAI's guide polls for it; two minutes at most."""
    for _ in range(1200):
        if response.status not in WAITING:
            return response
        time.sleep(0.1)
        response = client.responses.retrieve(response.id)
    raise AssertionError(f"{response.id} is still {response.status}")


def test_in_the_background_it_is_polled_until_it_is_completed(client, model):
    begun = client.responses.create(model=model, input=QUESTION, max_output_tokens=24, temperature=0, background=True)
    assert begun.status in WAITING and begun.background and begun.output_text == ""
    done = ended(client, begun)
    assert (done.id, done.status, done.error) == (begun.id, "completed", None)
    assert "Paris" in done.output_text and done.usage.output_tokens > 0
    assert done.background and (done.temperature, done.max_output_tokens) == (0, 24)
    client.responses.delete(done.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(done.id)


@fake_only
def test_in_the_background_it_is_cancelled(client, model):
    begun = client.responses.create(model=model, input="Take your time.", background=True)
    assert begun.status in WAITING
    cancelled = client.responses.cancel(begun.id)
    assert (cancelled.id, cancelled.status, cancelled.output_text) == (begun.id, "cancelled", "")
    assert client.responses.retrieve(begun.id).status == "cancelled"


def test_what_has_ended_is_not_cancelled(client, model):
    begun = client.responses.create(model=model, input=QUESTION, max_output_tokens=24, temperature=0, background=True)
    done = ended(client, begun)
    assert client.responses.cancel(done.id) == done


def test_in_the_background_nothing_is_streamed(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input=QUESTION, background=True, stream=True)
    assert caught.value.param == "stream"
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.retrieve("resp_of_nobody")
    assert "resp_of_nobody" in missing.value.message


def test_completions(client, model):
    answer = client.completions.create(model=model, prompt=QUESTION, max_tokens=24, temperature=0)
    # What a small chat model makes of a bare text is its own affair.
    assert answer.object == "text_completion" and isinstance(answer.choices[0].text, str)
    parts = list(client.completions.create(model=model, prompt=QUESTION, max_tokens=24, temperature=0, stream=True))
    pieces = "".join(part.choices[0].text for part in parts if part.choices)
    if MODE == "fake":
        assert "Paris" in answer.choices[0].text and pieces == answer.choices[0].text


def test_a_schema_by_hand(client, model):
    form = {"type": "json_schema", "name": "person", "schema": PERSON}
    answer = client.responses.create(model=model, input="Ann is 7.", text={"format": form})
    assert isinstance(json.loads(answer.output_text)["age"], int)
