#!/usr/bin/env python3
"""A document chat in Python, as a Streamlit page usually has it inside: what `make bench-start` compares lastro with.

usage: python-chat.py --upstream URL --model FOLDER --store FOLDER [--host HOST] [--port PORT]
       python-chat.py --store FOLDER --build

sentence-transformers embeds the question, FAISS finds the nearest passages, they go into the prompt, and the answer of
an OpenAI-compatible server is streamed. Everything is loaded before it listens; the page itself is left out, so that
its time is not counted against Python. --build makes the store of `chunks.json` and `vectors.f32` in its folder once.
"""
import argparse
import json
import pickle
from pathlib import Path

import faiss

PASSAGES = 5
PROMPT = "Answer from these passages.\n\n{passages}\n\nQuestion: {question}"


def build(store):
    import numpy

    chunks = json.loads((store / "chunks.json").read_text())
    vectors = numpy.fromfile(store / "vectors.f32", dtype="<f4").reshape(len(chunks), -1)
    # Exact, like lastro's own: it is also the index that opens fastest.
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(store / "index.faiss"))
    with open(store / "chunks.pkl", "wb") as file:
        pickle.dump(chunks, file)


def serve(options):
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse
    from openai import AsyncOpenAI
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(options.model)
    index = faiss.read_index(str(options.store / "index.faiss"))
    with open(options.store / "chunks.pkl", "rb") as file:
        chunks = pickle.load(file)
    client = AsyncOpenAI(base_url=options.upstream, api_key="none")
    app = FastAPI()

    def grounded(messages):
        question = messages[-1]["content"]
        vector = model.encode([question], normalize_embeddings=True, show_progress_bar=False)
        _, found = index.search(vector, PASSAGES)
        passages = "\n\n".join(chunks[number] for number in found[0])
        return messages[:-1] + [{"role": "user", "content": PROMPT.format(passages=passages, question=question)}]

    @app.post("/v1/chat/completions")
    async def chat(request: Request):
        asked = await request.json()
        answer = await client.chat.completions.create(
            model=asked["model"], messages=grounded(asked["messages"]), max_tokens=asked.get("max_tokens"), stream=True)

        async def events():
            async for chunk in answer:
                yield f"data: {chunk.model_dump_json()}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream")
    parser.add_argument("--model")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    if options.build:
        return build(options.store)
    if not (options.upstream and options.model):
        parser.error("--upstream and --model are needed")
    serve(options)


if __name__ == "__main__":
    main()
