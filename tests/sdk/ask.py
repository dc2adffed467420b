"""Asks one question through an official client, for the demo.

    ask.py URL MODEL QUESTION [--client openai|anthropic|ollama] [--stream]

Prints, a line each: who answered, seconds until the first text and until the end, the number of pieces, the text.
"""

import argparse
import importlib
import itertools
import time

LIMIT = 24


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("question")
    parser.add_argument("--client", choices=CLIENTS, default="openai")
    parser.add_argument("--stream", action="store_true")
    asked = parser.parse_args()
    importlib.import_module(asked.client)  # whose time is not the gateway's
    began = time.monotonic()
    first, pieces = None, []
    who, texts = CLIENTS[asked.client](asked)
    for text in texts:
        first = first or time.monotonic()
        pieces.append(text)
    end = time.monotonic()
    print(who)
    print(f"{(first or end) - began:.2f}", f"{end - began:.2f}", len(pieces))
    print("".join(pieces).replace("\n", " "))


# No retries of the clients' own: what is shown is the gateway's doing.


def openai(asked):
    import openai

    client = openai.OpenAI(base_url=f"{asked.url}/v1", api_key="unused", max_retries=0, timeout=120)
    answer = client.chat.completions.with_raw_response.create(
        model=asked.model,
        messages=[{"role": "user", "content": asked.question}],
        max_tokens=LIMIT,
        temperature=0,
        stream=asked.stream,
    )
    parsed = answer.parse()
    if not asked.stream:
        return said_by(answer), [parsed.choices[0].message.content]
    texts = (chunk.choices[0].delta.content for chunk in parsed if chunk.choices)
    return said_by(answer), (text for text in texts if text)


def anthropic(asked):
    import anthropic

    client = anthropic.Anthropic(base_url=asked.url, api_key="unused", max_retries=0, timeout=120)
    answer = client.messages.with_raw_response.create(
        model=asked.model,
        messages=[{"role": "user", "content": asked.question}],
        max_tokens=LIMIT,
        stream=asked.stream,
        extra_body={"temperature": 0},
    )
    parsed = answer.parse()
    if not asked.stream:
        return said_by(answer), [block.text for block in parsed.content if block.type == "text"]
    deltas = (event.delta for event in parsed if event.type == "content_block_delta")
    return said_by(answer), (delta.text for delta in deltas if delta.type == "text_delta")


def ollama(asked):
    import ollama

    seen = []
    client = ollama.Client(host=asked.url, timeout=120, event_hooks={"response": [seen.append]})
    answer = client.chat(
        model=asked.model,
        messages=[{"role": "user", "content": asked.question}],
        options={"num_predict": LIMIT, "temperature": 0},
        stream=asked.stream,
    )
    parts = iter(answer) if asked.stream else iter([answer])
    begun = [next(parts)]  # nothing is sent before the first one is taken
    texts = (part.message.content for part in itertools.chain(begun, parts))
    return said_by(seen[-1]), (text for text in texts if text)


def said_by(response):
    return response.headers.get("x-edgehold-target", "nobody said who")


CLIENTS = {"anthropic": anthropic, "ollama": ollama, "openai": openai}

if __name__ == "__main__":
    main()
