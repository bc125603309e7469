"""Serves a model file with llama.cpp's own HTTP server on a port of the system's choice.

    python inference_server.py MODEL.gguf API_KEY

Prints one line, `{"event":"ready","address":"http://127.0.0.1:PORT"}`, when it
answers, and ends when its standard input is closed.
"""

import json
import sys

import xllamacpp


def main(model, api_key):
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"tiny"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [api_key]
    params.n_ctx = 1024
    params.n_parallel = 2
    params.warmup = False
    server = xllamacpp.Server(params)
    print(json.dumps({"event": "ready", "address": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
