"""What scripts/test-schema runs: schemathesis over a lastro that holds something, against our description and OpenAI's."""
import copy
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import requests
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
BINARY = ROOT / "target" / "release" / "lastro"
OURS = ROOT / "src" / "api" / "openapi.json"
DEADLINE = 120
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import upstream  # noqa: E402

# Of OpenAI's specification: the paths that are served here.
SERVED = ("/files", "/vector_stores", "/embeddings")
# Methods that nobody describes are relayed, so that only described ones are tried. What is refused beyond a schema (a file's id that is
# nobody's) is in the tests of tests/e2e.
CHECKS = ["not_a_server_error", "content_type_conformance", "response_headers_conformance", "response_schema_conformance"]
OUR_CHECKS = [*CHECKS, "status_code_conformance", "ignored_auth"]


def start(stack, folder, llm):
    """A server on a free port, with an admin's key; (address, key)."""
    log = stack.enter_context(open(folder / "lastro.log", "wb"))
    command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", folder / "data", "--upstream", llm,
               "--embedding-model", TOOLS / "models" / "all-MiniLM-L6-v2"]
    process = subprocess.Popen([str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=log, text=True)
    stack.callback(end, process)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    line = lines.get(timeout=DEADLINE)
    url = line.split("listening on ", 1)[1].strip().rstrip("/")
    deadline = time.monotonic() + DEADLINE
    while requests.get(url + "/ready", timeout=DEADLINE).status_code != 200:
        if time.monotonic() > deadline:
            sys.exit("lastro did not get ready")
        time.sleep(0.1)
    made = subprocess.run([str(BINARY), "keys", "create", "schema", "--admin", "--data", str(folder / "data")], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return url, made.stdout.strip()


def end(process):
    process.terminate()
    process.wait(DEADLINE)


def fill(url, session):
    """Things to ask for, by the name of the parameter or field that takes their ids."""
    def call(path, **options):
        answer = session.post(url + path, timeout=DEADLINE, **options)
        answer.raise_for_status()
        return answer.json()["id"]

    files = [call("/v1/files", data={"purpose": "assistants"}, files={"file": (f"{number}.txt", b"Text %d is about the sea." % number)})
             for number in range(12)]
    stores = [call("/v1/vector_stores", json={"name": f"store-{number}"}) for number in range(2)]
    batches = [call(f"/v1/vector_stores/{store}/file_batches", json={"file_ids": files}) for store in stores]
    embedding = session.get(url + "/ready", timeout=DEADLINE).json()["embedding"]
    models = [upstream.MODEL, f"{upstream.MODEL}@{stores[0]}", embedding.get("model", "none")]
    return {"files": files, "stores": stores, "batches": batches, "models": models}


# Where ids stand: parameters of paths, and fields of bodies.
PARAMETERS = {"collection": "stores", "vector_store_id": "stores", "file": "files", "file_id": "files", "document": "files",
              "batch": "batches", "batch_id": "batches", "X-RAG-Collection": "stores", "X-RAG-Document": "files"}
FIELDS = {"model": "models", "file_id": "files", "file_ids": "files", "vector_store_ids": "stores", "collections": "stores"}
# What is asked in most chats: without a user's message there is nothing to ground.
MESSAGES = {"type": "array", "minItems": 1, "maxItems": 3, "items": {
    "type": "object", "required": ["role", "content"], "additionalProperties": False,
    "properties": {"role": {"type": "string", "enum": ["user"]}, "content": {"type": "string"}}}}


def with_ids(document, ids):
    """The description, where ids that exist are as likely as any other text."""
    def likely(kind):
        return {"anyOf": [{"type": "string", "enum": ids[kind]}, {"type": "string", "minLength": 1, "maxLength": 40}]}

    def visit(node):
        if isinstance(node, list):
            for part in node:
                visit(part)
        elif isinstance(node, dict):
            if node.get("in") in ("path", "header") and node.get("name") in PARAMETERS:
                node["schema"] = likely(PARAMETERS[node["name"]])
            for name, part in (node.get("properties") or {}).items() if isinstance(node.get("properties"), dict) else ():
                if name in FIELDS and isinstance(part, dict):
                    if part.get("type") == "string":
                        node["properties"][name] = likely(FIELDS[name])
                    elif "items" in part:
                        part["items"] = likely(FIELDS[name])
            for part in node.values():
                visit(part)

    # What describes answers stays as it is.
    document = copy.deepcopy(document)
    for item in document["paths"].values():
        visit(item)
    components = document["components"]
    visit(components.get("parameters") or {})
    for name, schema in components["schemas"].items():
        if name.startswith(("Create", "Attach", "Grant", "FileSearchTool", "Chat", "Response", "Embed")) and "Answer" not in name:
            visit(schema)
    if "Chat" in components["schemas"]:
        components["schemas"]["Chat"]["properties"]["messages"] = MESSAGES
    # Any but the model's own is refused.
    for name in {"Embed", "CreateEmbeddingRequest"} & set(components["schemas"]):
        del components["schemas"][name]["properties"]["dimensions"]
    return document


def openai(path, model):
    """OpenAI's specification of what is served, without what scripts/openai_coverage/exceptions.json excepts."""
    text = Path(path).read_text()
    document = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith(SERVED)}
    schemas = document["components"]["schemas"]
    schemas["OpenAIFile"]["properties"]["purpose"]["enum"].append("evals")
    schemas["CompoundFilter"]["properties"]["filters"]["items"] = {
        "anyOf": [{"$ref": "#/components/schemas/ComparisonFilter"}, {"$ref": "#/components/schemas/CompoundFilter"}]}
    content = document["paths"]["/files/{file_id}/content"]["get"]["responses"]["200"]
    content["content"] = {"*/*": {"schema": {}}}
    fields = schemas["CreateEmbeddingRequest"]["properties"]
    fields["model"], fields["encoding_format"] = {"type": "string", "enum": [model]}, {"type": "string", "enum": ["float"]}
    return document


def run(name, document, url, key, checks, folder, arguments):
    """True where nothing was found."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document, default=str))  # YAML has dates
    good = True
    # Deleting comes last: before it there would soon be nothing left.
    deleting = ["--exclude-method", "GET", "--exclude-method", "POST"]
    for methods in ([[]] if arguments else [["--exclude-method", "DELETE"], deleting]):
        print(f"==> {name}, {' '.join(methods)}", flush=True)
        done = subprocess.run([str(TOOLS / "schema" / "bin" / "st"), "run", str(file), "--url", url, "--checks", ",".join(checks),
                               "--header", f"Authorization: Bearer {key}", "--max-examples", os.environ.get("EXAMPLES", "50"),
                               "--continue-on-failure", "--phases", "examples,coverage,fuzzing", "--warnings", "off",
                               "--suppress-health-check", "all", "--request-timeout", str(DEADLINE), *methods, *arguments], cwd=folder)
        good &= done.returncode == 0
    return good


def main():
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastro-schema-")))
        if url := os.environ.get("LASTRO_URL", "").rstrip("/"):
            key = os.environ.get("LASTRO_KEY", "none")
        else:
            url, key = start(stack, folder, stack.enter_context(upstream.Scripted()).url)
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {key}"
        good = run("lastro", with_ids(json.loads(OURS.read_text()), fill(url, session)), url, key, OUR_CHECKS, folder, sys.argv[1:])
        if specification := os.environ.get("OPENAI_SPEC"):
            model = session.get(url + "/ready", timeout=DEADLINE).json()["embedding"].get("model", "none")
            document = with_ids(openai(specification, model), fill(url, session))
            good &= run("openai", document, url + "/v1", key, CHECKS, folder, sys.argv[1:])
        alive = session.get(url + "/health", timeout=DEADLINE).status_code == 200
    sys.exit(0 if good and alive else 1)


if __name__ == "__main__":
    main()
