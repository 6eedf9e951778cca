"""Asks a language model with OpenAI's client for Python, as it comes from PyPI; prints what it read as JSON."""

import json
import sys
from typing import Literal

from openai import BadRequestError, OpenAI
from pydantic import BaseModel

url, key, model = sys.argv[1:]
client = OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
messages = [{"role": "user", "content": "Hi"}]
seen = {}

whole = client.chat.completions.create(model=model, messages=messages, max_tokens=6, temperature=0)
seen["whole"] = whole.choices[0].message.content
seen["usage"] = [whole.usage.prompt_tokens, whole.usage.completion_tokens]
stream = client.chat.completions.create(
    model=model, messages=messages, max_tokens=6, temperature=0, stream=True, stream_options={"include_usage": True}
)
chunks = list(stream)
seen["streamed"] = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
seen["streamed_usage"] = chunks[-1].usage.completion_tokens


class Animal(BaseModel):
    kind: Literal["cat", "dog"]
    grown: bool


parsed = client.chat.completions.parse(model=model, messages=messages, response_format=Animal, temperature=1)
seen["parsed"] = parsed.choices[0].message.parsed.model_dump()
seen["text"] = client.completions.create(model=model, prompt="Hi", max_tokens=3).choices[0].finish_reason
try:
    client.chat.completions.create(model="no_such_model", messages=messages)
except BadRequestError as error:
    seen["refused"] = [error.status_code, error.code]

print(json.dumps(seen))
