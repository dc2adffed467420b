"""What the tests of all clients have in common: where the gateway is, whom to ask for, and what."""

import os

URL = os.environ["EDGEHOLD_URL"]
MODE = os.environ["EDGEHOLD_MODE"]
LOCAL = ["local/smollm2:135m", "second/smollm2:135m"]
CLOUDS = ["claude/smollm2:135m", "gemini/smollm2:135m"] if MODE == "fake" else []
MODELS = os.environ.get("EDGEHOLD_MODELS", ",".join(LOCAL + CLOUDS)).split(",")
QUESTION = "What is the capital of France?"
OSLO = "Use the function for Oslo."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
