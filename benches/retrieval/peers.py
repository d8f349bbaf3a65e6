"""Others that find the nearest vectors, or texts by their words, asked in turns with lastro: benches/retrieval starts it.

usage: peers.py FOLDER --recall R

FOLDER holds vectors.f32, texts.jsonl, questions.json, questions.f32 and truth.json. The first line that is printed says
who is absent and why, the second what there is to say of the others; each line `round` that is read is answered with the
milliseconds of every question for each of them. hnswlib and usearch take the least `ef` that reaches the recall. All take
one thread, but for building.
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

NEAREST, DEPTH = 10, 100
BUILD = {"M": 16, "ef": 200}


class Missing(Exception):
    """A peer cannot run here; the text says why."""


def timed(ask, questions):
    times = []
    for question in questions:
        began = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - began) * 1e3)
    return times


class Data:
    def __init__(self, folder):
        import numpy
        self.folder = folder
        self.truth = json.loads((folder / "truth.json").read_text())
        self.questions = json.loads((folder / "questions.json").read_text())
        asked = numpy.fromfile(folder / "questions.f32", dtype="<f4")
        self.asked = asked.reshape(len(self.questions), -1)
        self.vectors = numpy.fromfile(folder / "vectors.f32", dtype="<f4").reshape(-1, self.asked.shape[1])
        self.ids = numpy.arange(len(self.vectors))

    def texts(self):
        with open(self.folder / "texts.jsonl", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def recall(self, ask):
        found = sum(len(set(map(int, ask(vector))) & set(truth)) for vector, truth in zip(self.asked, self.truth))
        return found / (NEAREST * len(self.truth))


def least_ef(data, recall, set_ef, ask):
    """The least of these that reaches the recall, or the greatest."""
    for ef in (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512):
        set_ef(ef)
        reached = data.recall(ask)
        if reached >= recall:
            break
    return ef, reached


class Hnswlib:
    name = "vectors: hnswlib"

    def __init__(self, data, recall):
        try:
            import hnswlib
            package = "hnswlib"
        except ImportError as error:
            raise Missing(f"not installed ({error}); run scripts/install retrieval")
        try:
            told = version(package)
        except Exception:
            told = version("chroma-hnswlib")
        began = time.perf_counter()
        index = hnswlib.Index(space="ip", dim=data.vectors.shape[1])
        index.init_index(max_elements=len(data.vectors), M=BUILD["M"], ef_construction=BUILD["ef"])
        index.add_items(data.vectors, data.ids)
        built = time.perf_counter() - began
        index.set_num_threads(1)
        self.ask = lambda vector: index.knn_query(vector, k=NEAREST)[0][0]
        ef, reached = least_ef(data, recall, index.set_ef, self.ask)
        place = data.folder / "hnswlib.bin"
        index.save_index(str(place))
        self.asked = data.asked
        self.about = {"note": f"{told}, M {BUILD['M']}, built with ef {BUILD['ef']}, asked with ef {ef}",
                      "built": built, "recall@10": reached, "files": place.stat().st_size / 2**20}


class Usearch:
    name = "vectors: usearch"

    def __init__(self, data, recall):
        try:
            from usearch.index import Index
        except ImportError as error:
            raise Missing(f"not installed ({error}); run scripts/install retrieval")
        began = time.perf_counter()
        index = Index(ndim=data.vectors.shape[1], metric="ip", dtype="f32", connectivity=BUILD["M"], expansion_add=BUILD["ef"])
        index.add(data.ids, data.vectors)
        built = time.perf_counter() - began
        self.ask = lambda vector: index.search(vector, NEAREST, threads=1).keys

        def set_ef(ef):
            index.expansion_search = ef
        ef, reached = least_ef(data, recall, set_ef, self.ask)
        place = data.folder / "usearch.bin"
        index.save(str(place))
        self.asked = data.asked
        self.about = {"note": f"{version('usearch')}, connectivity {BUILD['M']}, built with {BUILD['ef']}, asked with {ef}",
                      "built": built, "recall@10": reached, "files": place.stat().st_size / 2**20}


class Bm25s:
    name = "words: bm25s"

    def __init__(self, data, recall):
        try:
            import bm25s
            import Stemmer
        except ImportError as error:
            raise Missing(f"not installed ({error}); run scripts/install retrieval")
        stemmer = Stemmer.Stemmer("english")
        cut = lambda texts: bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        began = time.perf_counter()
        index = bm25s.BM25()
        index.index(cut(data.texts()), show_progress=False)
        built = time.perf_counter() - began
        depth = min(DEPTH, len(data.vectors))
        self.ask = lambda question: index.retrieve(cut([question]), k=depth, show_progress=False, n_threads=0)
        place = data.folder / "bm25s"
        index.save(str(place))
        self.asked = data.questions
        files = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        self.about = {"note": f"{version('bm25s')}, the cutting of the question counted", "built": built, "files": files / 2**20}


class Chroma:
    """A server of its own, asked by its client with vectors that are given: no text is embedded."""
    name = "vectors: Chroma's server"

    def __init__(self, data, recall):
        program = Path(sys.executable).with_name("chroma")
        try:
            import chromadb
        except ImportError as error:
            raise Missing(f"not installed ({error}); run scripts/install retrieval")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        place = data.folder / "chroma"
        with open(data.folder / "chroma.log", "w") as log:
            self.server = subprocess.Popen([program, "run", "--path", place, "--host", "127.0.0.1", "--port", str(port)], stdout=log,
                                           stderr=log, env={**os.environ, "ANONYMIZED_TELEMETRY": "False"})
        try:
            client = self.connect(chromadb, port)
            began = time.perf_counter()
            collection = client.create_collection("bench", metadata={"hnsw:space": "ip"}, embedding_function=None)
            texts = data.texts()
            for start in range(0, len(texts), 1000):
                end = start + 1000
                collection.add(ids=[str(n) for n in range(start, min(end, len(texts)))], embeddings=data.vectors[start:end],
                               documents=texts[start:end])
            built = time.perf_counter() - began
        except Exception as error:
            self.close()
            raise Missing(f"it did not work: {error}")
        found = lambda vector: collection.query(query_embeddings=[vector], n_results=NEAREST, include=["documents", "distances"])
        self.ask = found
        reached = data.recall(lambda vector: found(vector)["ids"][0])
        self.asked = data.asked
        files = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        self.about = {"note": f"{version('chromadb')}, over HTTP by its client, with the texts, by meaning alone",
                      "built": built, "recall@10": reached, "files": files / 2**20}

    def connect(self, chromadb, port):
        for _ in range(300):
            try:
                client = chromadb.HttpClient(host="127.0.0.1", port=port)
                client.heartbeat()
                return client
            except Exception:
                if self.server.poll() is not None:
                    raise RuntimeError("the server ended")
                time.sleep(0.1)
        raise RuntimeError("the server did not answer in time")

    def close(self):
        self.server.terminate()
        self.server.wait()


PEERS = {"hnswlib": Hnswlib, "usearch": Usearch, "bm25s": Bm25s, "chroma": Chroma}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recall", type=float, required=True)
    parser.add_argument("--only", nargs="*", default=list(PEERS))
    arguments = parser.parse_args()
    # Whatever a package prints is no line of ours.
    out, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)

    def say(line):
        print(json.dumps(line), file=out, flush=True)

    peers, absent = [], {}
    try:
        data = Data(arguments.folder)
    except ImportError as error:
        say({"absent": {kind.name: f"not installed ({error}); run scripts/install retrieval" for kind in PEERS.values()}})
        say({"peers": []})
        data = None
    try:
        if data:
            for name in arguments.only:
                kind = PEERS[name]
                try:
                    peers.append(kind(data, arguments.recall))
                except Missing as missing:
                    absent[kind.name] = str(missing)
            say({"absent": absent})
            say({"peers": [{"name": peer.name, **peer.about} for peer in peers]})
        for line in sys.stdin:
            if line.strip() == "round":
                say({peer.name: timed(peer.ask, peer.asked) for peer in peers})
    finally:
        for peer in peers:
            if hasattr(peer, "close"):
                peer.close()


if __name__ == "__main__":
    main()
