"""What a program on the official Ollama client sees of a running gateway, whoever answers."""

import ollama
import pytest
from common import CITY, MODE, MODELS, OSLO, PERSON, QUESTION, URL

FRANCE = [{"role": "user", "content": QUESTION}]
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Get the weather", "parameters": CITY}}
SHORT = {"num_predict": 24, "temperature": 0}
EMBEDDERS = [model for model in MODELS if not model.startswith("claude/")]
fake_only = pytest.mark.skipif(MODE != "fake", reason="a model of 135M parameters calls no tools reliably")


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture
def client():
    with ollama.Client(host=URL, timeout=300) as client:
        yield client


def test_chat(client, model):
    answer = client.chat(model=model, messages=FRANCE, options=SHORT)
    assert answer.done and answer.done_reason == "stop"
    assert answer.message.role == "assistant" and "Paris" in answer.message.content
    assert answer.prompt_eval_count > 0 and answer.eval_count > 0 and answer.total_duration > 0
    assert answer.created_at


def test_stream(client, model):
    parts = list(client.chat(model=model, messages=FRANCE, options=SHORT, stream=True))
    assert len(parts) > 2 and "Paris" in "".join(part.message.content for part in parts)
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].done_reason == "stop" and parts[-1].eval_count > 0


def test_a_limit_is_a_reason(client, model):
    answer = client.chat(model=model, messages=FRANCE, options={"num_predict": 2, "temperature": 0})
    assert answer.done_reason == "length"


@fake_only
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_answered(client, model, streamed):
    turns = [{"role": "user", "content": OSLO}]
    if streamed:
        parts = client.chat(model=model, messages=turns, tools=[TOOL], stream=True)
        calls = [call for part in parts for call in part.message.tool_calls or []]
    else:
        calls = client.chat(model=model, messages=turns, tools=[TOOL]).message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in calls] == [("get_weather", {"city": "Oslo"})]
    turns.append({"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in calls]})
    turns.append({"role": "tool", "tool_name": "get_weather", "content": "7 degrees"})
    assert "7 degrees" in client.chat(model=model, messages=turns, tools=[TOOL]).message.content


def test_a_schema_is_followed(client, model):
    import json

    answer = client.chat(model=model, messages=[{"role": "user", "content": "Ann is 7."}], format=PERSON)
    person = json.loads(answer.message.content)
    assert isinstance(person["name"], str) and isinstance(person["age"], int)


def test_generate(client, model):
    answer = client.generate(model=model, prompt=QUESTION, options=SHORT)
    assert answer.done and "Paris" in answer.response
    parts = list(client.generate(model=model, prompt=QUESTION, options=SHORT, stream=True))
    assert "Paris" in "".join(part.response for part in parts) and parts[-1].done


@fake_only
def test_what_an_ollama_says_besides_comes_back(client):
    assert list(client.generate(model="local/smollm2:135m", prompt=QUESTION).context) == [1, 2]


@pytest.mark.parametrize("name", EMBEDDERS)
def test_embed(client, name):
    answer = client.embed(model=name, input=["a cat", "a dog"])
    assert len(answer.embeddings) == 2 and len(answer.embeddings[0]) > 100
    assert len(client.embeddings(model=name, prompt="a cat").embedding) > 100


def test_list_show_and_ps(client):
    names = [it.model for it in client.list().models]
    assert "default" in names and "smollm2:135m" in names
    shown = client.show("local/smollm2:135m")
    assert shown.modelinfo["general.architecture"] == "llama"
    client.chat(model="local/smollm2:135m", messages=FRANCE, options=SHORT)
    assert "smollm2:135m" in [it.model for it in client.ps().models]


def test_what_is_not_there_and_what_may_not_be(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="nowhere/none", messages=FRANCE)
    assert caught.value.status_code == 404
    for change in (lambda: client.pull("x"), lambda: client.delete("x"), lambda: client.copy("x", "y")):
        with pytest.raises(ollama.ResponseError) as caught:
            change()
        assert caught.value.status_code == 403 and "ask the Ollama itself" in caught.value.error
