"""Asks one question through the official OpenAI client, for the demo.

    ask.py URL MODEL QUESTION [--stream]

Prints, a line each: who answered, seconds until the first text and until the end, the number of pieces, the text.
"""

import sys
import time

import openai


def main():
    url, model, question, *rest = sys.argv[1:]
    # No retries of the client's own: what is shown is the gateway's doing.
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=120)
    began = time.monotonic()
    answer = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        max_tokens=24,
        temperature=0,
        stream="--stream" in rest,
    )
    first, pieces = None, []
    if "--stream" in rest:
        for chunk in answer.parse():
            text = chunk.choices[0].delta.content if chunk.choices else None
            if text:
                first = first or time.monotonic()
                pieces.append(text)
    else:
        pieces.append(answer.parse().choices[0].message.content)
    end = time.monotonic()
    print(answer.headers.get("x-edgehold-target", "nobody said who"))
    print(f"{(first or end) - began:.2f}", f"{end - began:.2f}", len(pieces))
    print("".join(pieces).replace("\n", " "))


if __name__ == "__main__":
    main()
