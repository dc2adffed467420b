"""What a program on LangChain sees of a running gateway: by its Ollama client and by its OpenAI client."""

import pytest
from common import MODE, MODELS, OSLO, QUESTION, URL
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI

fake_only = pytest.mark.skipif(MODE != "fake", reason="a model of 135M parameters calls no tools reliably")


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return "7 degrees"


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture(params=["ollama", "openai"])
def chat(request, model):
    if request.param == "ollama":
        return ChatOllama(base_url=URL, model=model, temperature=0, num_predict=64)
    return ChatOpenAI(base_url=f"{URL}/v1", api_key="unused", model=model, temperature=0, max_tokens=64, max_retries=0)


def test_invoke(chat):
    answer = chat.invoke([("human", QUESTION)])
    assert "Paris" in answer.content
    assert answer.usage_metadata["input_tokens"] > 0 and answer.usage_metadata["output_tokens"] > 0


def test_stream(chat):
    pieces = [piece.content for piece in chat.stream(QUESTION)]
    assert len(pieces) > 2 and "Paris" in "".join(pieces)


@fake_only
def test_a_tool_is_called_and_answered(chat):
    bound = chat.bind_tools([get_weather])
    first = bound.invoke([HumanMessage(OSLO)])
    assert [(call["name"], call["args"]) for call in first.tool_calls] == [("get_weather", {"city": "Oslo"})]
    result = ToolMessage("7 degrees", tool_call_id=first.tool_calls[0]["id"], name="get_weather")
    assert "7 degrees" in bound.invoke([HumanMessage(OSLO), first, result]).content
