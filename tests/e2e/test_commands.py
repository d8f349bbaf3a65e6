"""The commands, beside a running server and without one."""
from manual import FACT, MANUAL, QUESTION
from pdf import pdf
from world import MODEL, run


def folder(tmp_path):
    documents = tmp_path / "documents"
    (documents / "inner").mkdir(parents=True)
    (documents / "zephyr-9.pdf").write_bytes(MANUAL)
    (documents / "inner" / "notes.md").write_text("# Notes\n\nThe cellar is dry.\n")
    return documents


def test_ingest_ask_and_search_use_the_running_server(lastro, collection, tmp_path):
    documents = folder(tmp_path)
    done = run("ingest", "--data", lastro.data, collection, documents, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert lastro.call("GET", f"/v1/vector_stores/{collection}").json()["file_counts"]["completed"] == 2

    asked = run("ask", "--data", lastro.data, collection, QUESTION, cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert FACT in asked.stdout
    assert "zephyr-9.pdf" in asked.stdout + asked.stderr

    found = run("search", "--data", lastro.data, collection, QUESTION, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert FACT in found.stdout and "zephyr-9.pdf" in found.stdout


def test_ingest_says_what_failed_and_why(lastro, collection, tmp_path):
    documents = folder(tmp_path)
    (documents / "secret.pdf").write_bytes(pdf("A secret.", password="open sesame"))
    done = run("ingest", "--data", lastro.data, collection, documents, cwd=tmp_path)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "secret.pdf" in said and "password" in said.lower()
    assert lastro.call("GET", f"/v1/vector_stores/{collection}").json()["file_counts"]["completed"] == 2


def test_ingest_and_search_without_a_server(tmp_path):
    data, documents = tmp_path / "data", folder(tmp_path)
    done = run("ingest", "--data", data, "--embedding-model", MODEL, "pump", documents, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = run("search", "--data", data, "--embedding-model", MODEL, "pump", QUESTION, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert FACT in found.stdout


def test_a_second_server_on_the_same_data_is_refused(lastro, tmp_path):
    second = run("serve", "--listen", "127.0.0.1:0", "--data", lastro.data, cwd=tmp_path, timeout=30)
    assert second.returncode != 0
    assert str(lastro.data) in second.stderr, second.stderr
    lastro.call("GET", "/health")


def test_a_model_folder_with_a_missing_piece_is_named(start, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (model / name).write_bytes((MODEL / name).read_bytes())
    lastro = start(model=model)
    lastro.wait_until_ready()
    embedding = lastro.call("GET", "/ready").json()["embedding"]
    assert embedding["status"] == "failed" and "model.safetensors" in embedding["message"]
    lastro.upload("pump", ("zephyr-9.pdf", MANUAL))
    found = lastro.call("POST", "/v1/vector_stores/pump/search", json={"query": QUESTION})
    assert found.headers["x-rag-status"] == "lexical" and FACT in found.text
