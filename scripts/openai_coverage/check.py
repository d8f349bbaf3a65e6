"""A running lastro called with every parameter of the specification, its answers held against the specification's schemas, and every
field of an answer that is said to be served seen in one.

What is made here is deleted again. It needs the scopes chat and ingest: a key comes from LASTRO_KEY.
"""
import itertools
import json
import os
import re
import time

import jsonschema
import requests

DEADLINE = 120


class Calls:
    """Calls by operation: remembers what was exercised, what answers had in them, and what they broke of the schema."""

    def __init__(self, url, document):
        self.url, self.document, self.exercised, self.problems, self.made = url, document, set(), [], 0
        self.session = requests.Session()
        if key := os.environ.get("LASTRO_KEY"):
            self.session.headers["Authorization"] = f"Bearer {key}"

    def call(self, section, *parts, status=200, query=None, body=None, form=None, file=None):
        """One operation, as in `GET /v1/files/{file_id}`; `parts` fill its path. Returns what was answered."""
        method, path = section.split(" ")
        names = re.findall(r"\{(\w+)\}", path)
        target = path
        for name, part in zip(names, parts):
            target = target.replace(f"{{{name}}}", part)
            self.exercised.add((section, "path", name))
        answer = self.session.request(method, self.url + target, params=query, json=body, data=form, files=file, timeout=DEADLINE)
        self.made += 1
        what = f"{method} {target} {query or ''} {body or form or ''}"[:300]
        if answer.status_code != status:
            self.problems.append(f"{what}: {answer.status_code} instead of {status}: {answer.text[:300]}")
            return None
        if status == 200:
            self.exercised |= {(section, "query", name) for name in query or {}}
            self.exercised |= {(section, "body", leaf) for leaf in leaves(body or {}, "")}
            self.exercised |= {(section, "body", re.sub(r"\[(\w+)\]", r".\1", name)) for name in {**(form or {}), **(file or {})}}
        self.hold(section, what, status, answer)
        return answer

    def hold(self, section, what, status, answer):
        """Checks an answer against the schema for its status."""
        method, path = section.split(" ")
        if status == 200 and answer.headers.get("content-type", "").startswith("application/json"):
            self.saw(section, answer.json())
        operation = self.document["paths"][path.removeprefix("/v1")][method.lower()]
        content = operation["responses"].get(str(status), {}).get("content", {}).get("application/json", {})
        schema = content.get("schema") if status == 200 else {"$ref": "#/components/schemas/ErrorResponse"}
        if not schema or schema.get("type") == "string":
            return
        validator = jsonschema.Draft202012Validator({**schema, "components": self.document["components"]})
        for error in itertools.islice(validator.iter_errors(answer.json()), 3):
            if not known(error):
                self.problems.append(f"{what}: at {error.json_path}: {error.message[:200]}")

    def saw(self, section, answer):
        self.exercised |= {(section, "response", leaf) for leaf in leaves(answer, "")}

    def until(self, done, *call):
        """Calls until an answer satisfies."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            answer = self.call(*call)
            if answer is None or done(answer.json()):
                return
            time.sleep(0.1)
        self.problems.append(f"{call}: did not come about in {DEADLINE} s")


def known(error):
    """What the exceptions say of answers."""
    return error.instance == "evals" and error.json_path.endswith("purpose")


def leaves(value, path):
    """Names of the fields of a body, a map's with .* too."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            for inner in leaves(part, f"{path}.{key}" if path else key):
                yield inner
            if path.split(".")[-1] in ("attributes", "metadata") or path.endswith("files[].attributes"):
                yield f"{path}.*"
    elif isinstance(value, list) and value:
        for part in value:
            yield from leaves(part, f"{path}[]")
    yield path


def run(url, document, wanted, names):
    """Problems, as text. `wanted` are (section, place, field) that must be exercised, or seen in an answer; `names` are the sections of
    what chats and responses have of ours, by the name of the specification's schema."""
    calls = Calls(url, document)
    call, store_path, batch_path = calls.call, "/v1/vector_stores/{vector_store_id}", "/v1/vector_stores/{vector_store_id}/file_batches"
    made = [files(call)]
    stores(call)
    store = call("POST /v1/vector_stores", body={"name": "coverage"}).json()["id"]
    one, two, three = made[0][:3]
    broken = call("POST /v1/files", form={"purpose": "user_data"}, file={"file": ("empty.txt", b" \n")}).json()["id"]
    fixed = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 100}}
    attributes = {"text": "a", "number": 1.5, "truth": True}
    call(f"POST {store_path}/files", store, body={"file_id": one, "attributes": attributes, "chunking_strategy": fixed})
    batch = call(f"POST {batch_path}", store, body={"file_ids": [two], "attributes": attributes, "chunking_strategy": fixed}).json()["id"]
    other = call(f"POST {batch_path}", store, body={"files": [
        {"file_id": three, "attributes": attributes, "chunking_strategy": fixed},
        {"file_id": made[0][3], "attributes": None, "chunking_strategy": {"type": "auto"}}, {"file_id": broken}]}).json()["id"]
    for each in (batch, other):
        calls.until(lambda found: found["status"] == "completed", f"GET {batch_path}/{{batch_id}}", store, each)
    calls.until(lambda found: found["status"] == "completed", f"GET {store_path}/files/{{file_id}}", store, one)
    call(f"POST {batch_path}/{{batch_id}}/cancel", store, batch, status=400)
    cancel(call, store, batch_path)
    for section, parts in ((f"GET {store_path}/files", (store,)), (f"GET {batch_path}/{{batch_id}}/files", (store, other))):
        for status in ("in_progress", "completed", "failed", "cancelled"):
            call(section, *parts, query={"filter": status})
        pages(call, section, *parts)
    for file in (one, broken):
        call(f"POST {store_path}/files/{{file_id}}", store, file, body={"attributes": {**attributes, "text": "b"}})
        call(f"GET {store_path}/files/{{file_id}}", store, file)
        call("GET /v1/files/{file_id}", file)
    call("GET /v1/files")
    call(f"GET {store_path}/files/{{file_id}}/content", store, one)
    search(call, f"POST {store_path}/search", store)
    embeddings(calls)
    responses(calls, store, names)
    call(f"DELETE {store_path}/files/{{file_id}}", store, one)
    for missing in (f"GET {store_path}/files/{{file_id}}", f"DELETE {store_path}/files/{{file_id}}"):
        call(missing, store, one, status=404)
    call(f"DELETE {store_path}", store)
    for file in (*made[0], broken):
        call("DELETE /v1/files/{file_id}", file)
    call("GET /v1/files/{file_id}", one, status=404)
    unexercised = sorted(wanted - calls.exercised)
    print(f"{calls.made} calls, {len(wanted) - len(unexercised)} of {len(wanted)} served parameters and fields exercised or seen, "
          f"{len(calls.problems)} problems")
    return calls.problems + [f"{' '.join(entry)}: is in the table and was not {'seen' if entry[1] == 'response' else 'exercised'}"
                             for entry in unexercised]


def pages(call, section, *parts):
    everything = call(section, *parts, query={"order": "asc", "limit": 100}).json()["data"]
    call(section, *parts, query={"order": "desc"})
    if everything:
        call(section, *parts, query={"after": everything[0]["id"], "order": "asc"})
        if section != "GET /v1/files":
            call(section, *parts, query={"before": everything[-1]["id"], "order": "asc"})
    call(section, *parts, query={"limit": 0}, status=400)
    call(section, *parts, query={"order": "sideways"}, status=400)


def files(call):
    made = []
    for number, purpose in enumerate(("assistants", "batch", "fine-tune", "vision", "user_data", "evals", "assistants_output", "batch_output",
                                       "fine-tune-results")):
        form = {"purpose": purpose}
        if number == 0:
            form |= {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        text = f"Text number {number} of the coverage check is about lighthouses.".encode()
        made.append(call("POST /v1/files", form=form, file={"file": (f"{number}.txt", text)}).json()["id"])
    call("POST /v1/files", form={"purpose": "decoration"}, file={"file": ("a.txt", b"a")}, status=400)
    call("GET /v1/files", query={"purpose": "assistants"})
    pages(call, "GET /v1/files")
    for section in ("GET /v1/files/{file_id}", "GET /v1/files/{file_id}/content"):
        call(section, made[0])
    call("GET /v1/files/{file_id}", made[5])
    return made


def stores(call):
    file = call("POST /v1/files", form={"purpose": "assistants"}, file={"file": ("a.txt", b"A lighthouse.")}).json()["id"]
    expiry = {"anchor": "last_active_at", "days": 7}
    made = [call("POST /v1/vector_stores", body={
        "name": "first", "description": "one", "metadata": {"a": "b"}, "expires_after": expiry, "file_ids": [file],
        "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}}).json()["id"],
        call("POST /v1/vector_stores", body={"chunking_strategy": {"type": "auto"}, "metadata": None}).json()["id"]]
    pages(call, "GET /v1/vector_stores")
    section = "POST /v1/vector_stores/{vector_store_id}"
    call(section, made[0], body={"name": "second", "metadata": {"c": "d"}, "expires_after": {**expiry, "days": 1}})
    call("GET /v1/vector_stores/{vector_store_id}", made[0])
    call(section, made[0], body={"name": None, "metadata": None, "expires_after": None})
    call(section, made[0], body={"name": 7}, status=400)
    for store in made:
        call("GET /v1/vector_stores/{vector_store_id}", store)
        call("DELETE /v1/vector_stores/{vector_store_id}", store)
        call("GET /v1/vector_stores/{vector_store_id}", store, status=404)
    call("DELETE /v1/files/{file_id}", file)


def cancel(call, store, path):
    """Cancelled right away, so that it cannot have ended."""
    ids = []
    for number in range(20):
        text = "\n\n".join(f"Paragraph {line} of book {number} tells of the sea. " * 20 for line in range(40)).encode()
        ids.append(call("POST /v1/files", form={"purpose": "assistants"}, file={"file": (f"{number}.txt", text)}).json()["id"])
    batch = call(f"POST {path}", store, body={"file_ids": ids}).json()["id"]
    call(f"POST {path}/{{batch_id}}/cancel", store, batch)
    for file in ids:
        call("DELETE /v1/files/{file_id}", file)


def search(call, section, store):
    question = "What is it about?"
    for query in (question, [question, "lighthouses"]):
        call(section, store, body={"query": query, "max_num_results": 5, "rewrite_query": False})
    for ranker in ("none", "auto", "default-2024-11-15"):
        call(section, store, body={"query": question, "ranking_options": {"ranker": ranker, "score_threshold": 0.1}})
    compare = [{"type": kind, "key": "number", "value": 1.5} for kind in ("eq", "ne", "gt", "gte", "lt", "lte")]
    compare += [{"type": kind, "key": "text", "value": ["a", "b", 1]} for kind in ("in", "nin")]
    compare += [{"type": "eq", "key": "truth", "value": True}, {"type": "eq", "key": "text", "value": "a"}]
    for filters in (*compare, {"type": "and", "filters": compare[:2]}, {"type": "or", "filters": compare[6:]},
                    {"type": "and", "filters": [{"type": "or", "filters": compare}, compare[0]]}):
        call(section, store, body={"query": question, "filters": filters})
    for body in ({"query": question, "rewrite_query": True}, {"query": question, "max_num_results": 51}, {"query": ""}, {},
                 {"query": question, "filters": {"type": "like", "key": "a", "value": "b"}}):
        call(section, store, body=body, status=400)


def responses(calls, store, sections):
    """Answers of the Responses API with a search in them: needs an LLM server behind, which any model of will do."""
    listed = calls.session.get(calls.url + "/v1/models", timeout=DEADLINE)
    models = [model["id"] for model in listed.json()["data"] if "@" not in model["id"] and model.get("owned_by") != "lastro"] \
        if listed.status_code == 200 else []
    if not models:
        calls.problems.append("POST /v1/responses: not checked: start lastro in front of an LLM server")
        return
    compare = {"type": "eq", "key": "text", "value": "a"}
    several = [{"type": "in", "key": "text", "value": ["a", 1]}, {"type": "gte", "key": "number", "value": 1}, {"type": "ne", "key": "truth", "value": False}]
    whole = {"type": "file_search", "vector_store_ids": [store]}
    chosen = {**whole, "max_num_results": 2, "ranking_options": {"ranker": "auto", "score_threshold": 0.1, "hybrid_search": {
        "embedding_weight": 1, "text_weight": 2}}}
    for tool in (whole, chosen, {**whole, "filters": compare}, {**chosen, "filters": {"type": "or", "filters": [compare, *several]}},
                 {**whole, "filters": several[0]}, {**whole, "filters": {**compare, "value": 1}}, {**whole, "filters": {**compare, "value": True}}):
        calls.exercised |= {(sections["FileSearchTool"], "body", leaf) for leaf in leaves(tool, "")}
        for include in (["file_search_call.results"], []):
            for stream in (False, True):
                body = {"model": models[0], "input": "Which text is about lighthouses?", "tools": [tool], "include": include, "stream": stream,
                        "max_output_tokens": 32}
                answer = calls.session.post(calls.url + "/v1/responses", json=body, timeout=DEADLINE)
                calls.made += 1
                if answer.status_code != 200:
                    calls.problems.append(f"POST /v1/responses {body}: {answer.status_code} {answer.text[:300]}"[:600])
                    continue
                events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")] if stream else []
                for event in events:
                    held(calls, sections, "".join(word.title() for word in re.split("[._]", event["type"])) + "Event", event)
                response = events[-1]["response"] if stream else answer.json()
                for item in response["output"]:
                    held(calls, sections, "FileSearchToolCall", item if item["type"] == "file_search_call" else None)
                    for part in item.get("content") or []:
                        for annotation in part.get("annotations") or []:
                            held(calls, sections, "FileCitationBody", annotation if annotation["type"] == "file_citation" else None)


def held(calls, sections, name, value):
    """Holds what is of a part of ours against its schema."""
    if value is None or name not in sections:
        return
    calls.saw(sections[name], value)
    schema = {"$ref": f"#/components/schemas/{name}", "components": calls.document["components"]}
    for error in itertools.islice(jsonschema.Draft202012Validator(schema).iter_errors(value), 3):
        calls.problems.append(f"{name}: at {error.json_path}: {error.message[:200]}")


def embeddings(calls):
    section = "POST /v1/embeddings"
    embedding = calls.session.get(calls.url + "/ready", timeout=DEADLINE).json()["embedding"]
    if embedding["status"] != "ready":
        calls.problems.append(f"{section}: not checked: start lastro with an embedding model ({embedding['status']})")
        return
    model, dimensions = embedding["model"], embedding["dimensions"]
    for texts in ("a lighthouse", ["a lighthouse", "the sea"]):
        calls.call(section, body={"model": model, "input": texts, "encoding_format": "float", "user": "coverage", "dimensions": dimensions})
    # Base64 is in the SDKs and in the requests of the specification, and not in its answers.
    answer = calls.session.post(calls.url + "/v1/embeddings", json={"model": model, "input": "a", "encoding_format": "base64"}, timeout=DEADLINE)
    if answer.status_code != 200 or not isinstance(answer.json()["data"][0]["embedding"], str):
        calls.problems.append(f"{section}: base64: {answer.status_code} {answer.text[:200]}")
    for body in ({"model": model, "input": "a", "dimensions": dimensions + 1}, {"model": model, "input": [1, 2]}, {"model": model, "input": ""},
                 {"model": model, "input": [[1, 2]]}):
        calls.call(section, body=body, status=400)
    calls.exercised |= {(section, "body", "input[][]")}
