"""Calls the server with the Python clients that people have, as they come from PyPI; prints what they read as JSON."""

import json
import sys

from hashub_vector import HashubVector
from langchain_openai import OpenAIEmbeddings
from openai import BadRequestError, OpenAI

url, key, model = sys.argv[1:]
seen = {}

texts = ["The cat sleeps.", "Kedi uyuyor.", "Interest rates rise."]
with HashubVector(api_key=key, base_url=url, max_retries=0) as hashub:
    one = hashub.vectorize(texts[0], model=model)
    seen["vectorize"] = [len(one.vector), one.model, one.dimension, one.token_count, one.chunk_count, one.processing_time_ms]
    batch = hashub.vectorize_batch(texts, model=model)
    seen["batch"] = [len(batch.vectors), batch.token_counts, batch.chunk_counts, batch.total_tokens, batch.model]
    seen["same"] = max(abs(a - b) for a, b in zip(one.vector, batch.vectors[0]))
    seen["similarity"] = [
        hashub.similarity(texts[0], texts[1], model=model),
        hashub.similarity(texts[0], texts[2], model=model),
    ]
    seen["models"] = [[each.alias, each.full_name, each.max_tokens, each.tier] for each in hashub.get_models()]
    usage = hashub.get_usage()
    seen["usage"] = [usage.summary.total_requests, usage.summary.total_tokens, usage.top_models[0].model]
    seen["days"] = [[day.requests, day.models_used] for day in usage.daily_breakdown]
    seen["simple"] = hashub.get_usage_simple().tokens_used
    try:
        hashub.vectorize("x", model="no_such_model")
    except Exception as error:
        seen["unknown"] = [type(error).__name__, str(error)[:40]]

openai = OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
plain = openai.embeddings.create(model=model, input=texts)
seen["openai"] = [len(plain.data), len(plain.data[0].embedding), plain.usage.prompt_tokens, plain.model]
numbers = openai.embeddings.create(model=model, input=texts[0], encoding_format="float").data[0].embedding
seen["base64"] = max(abs(a - b) for a, b in zip(plain.data[0].embedding, numbers))
seen["listed"] = model in [each.id for each in openai.models.list()]
try:
    openai.embeddings.create(model="no_such_model", input="x")
except BadRequestError as error:
    seen["refused"] = [error.status_code, error.code]

# By default this class sends cl100k ids, whatever the model is.
chain = OpenAIEmbeddings(model=model, api_key=key, base_url=f"{url}/v1")
documents = chain.embed_documents(texts)
seen["langchain"] = [len(documents), max(abs(a - b) for a, b in zip(documents[0], numbers))]
seen["query"] = max(abs(a - b) for a, b in zip(chain.embed_query(texts[0]), numbers))

print(json.dumps(seen))
