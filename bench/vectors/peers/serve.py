"""Puts an embedding library behind HTTP as people do: one call of its encoder for each request, in the request's thread.

    python serve.py --library fastembed|sentence-transformers --model FOLDER --threads N --at-once N

POST /v1/embeddings takes and gives OpenAI's shape (base64). POST /offline {texts, batch_size} encodes all texts in one call
and gives the seconds: the library's own best case, without HTTP. Prints one JSON line with the port when it is ready.
"""

import argparse
import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy


def fastembed(folder, threads):
    import fastembed as library
    from fastembed.common.model_description import ModelSource, PoolingType

    library.TextEmbedding.add_custom_model(
        model="bench/model", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf="bench/model"),
        dim=384, model_file="onnx/model.onnx")
    model = library.TextEmbedding("bench/model", specific_model_path=folder, threads=threads,
                                  providers=["CPUExecutionProvider"])
    return library.__version__, lambda texts, batch_size: numpy.stack(list(model.embed(texts, batch_size=batch_size)))


def sentence_transformers(folder, threads):
    import sentence_transformers as library
    import torch

    torch.set_num_threads(threads)
    model = library.SentenceTransformer(folder, device="cpu")
    version = f"{library.__version__} (torch {torch.__version__})"
    return version, lambda texts, batch_size: model.encode(texts, batch_size=batch_size, show_progress_bar=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", choices=["fastembed", "sentence-transformers"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True, help="calls of the encoder that may overlap")
    options = parser.parse_args()
    load = fastembed if options.library == "fastembed" else sentence_transformers
    version, encode = load(options.model, options.threads)
    slots = threading.Semaphore(options.at_once)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = offline(body) if self.path == "/offline" else embeddings(body)
            data = json.dumps(answer).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data)

    def embeddings(body):
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        with slots:
            vectors = encode(texts, 32)
        return {"object": "list", "model": body["model"], "data": [
            {"object": "embedding", "index": index, "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()}
            for index, vector in enumerate(vectors)]}

    def offline(body):
        started = time.perf_counter()
        encode(body["texts"], body["batch_size"])
        return {"seconds": time.perf_counter() - started}

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_address[1], "version": version}), flush=True)
    server.serve_forever()


main()
