"""The page of docker/streamlit: its answers and sources, stopping, and what it says when something is missing."""
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import upstream
import world
from manual import FACT, MANUAL, QUESTION

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Streamlit needs Python 3.11 or newer")
PYTHON = world.TOOLS / "streamlit" / "bin" / "python"
CLIENTS = Path(__file__).parent / "clients"
NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens there


def look(url, *steps, language="en", **environment):
    """What the page shows at first and after each step."""
    options = {"environment": {"LASTRO_URL": url, "LASTRO_KEY": "", **environment}, "language": language, "steps": steps}
    seen = world.script([PYTHON, "-B", CLIENTS / "streamlit_page.py"], options)
    assert not any(page["exceptions"] for page in seen), seen
    return seen


@pytest.fixture
def serve(tmp_path):
    """Servers without an embedding model, for what has nothing to do with searching."""
    servers = []

    def serve(llm):
        servers.append(world.Lastro(tmp_path / f"data{len(servers)}", llm, model=None))
        return servers[-1]

    yield serve
    for server in servers:
        server.end()


def key(lastro, *arguments):
    done = world.run("keys", "--data", lastro.data, "create", *arguments, cwd=lastro.data.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("language", "sources", "place"), [("pt", "fontes", r"páginas? \d"), ("en", "sources", r"pages? \d")])
def test_an_answer_has_its_sources(grounded, language, sources, place):
    start, asked = look(grounded.url, ["say", "question", QUESTION], language=language)
    assert any("zephyr\\-9\\.pdf" in text for text in start["texts"]), "the server's documents are listed"
    assert upstream.ANSWER in asked["texts"] and not asked["errors"]
    [expander] = asked["expanders"]
    assert expander.endswith(sources)
    assert any(FACT in text and "maintenance code" in text for text in asked["texts"]), "the passage itself"
    heads = [text for text in asked["texts"] if f"({grounded.url}/v1/files/{grounded.file}/content#page=" in text]
    assert heads and all("zephyr\\-9\\.pdf" in head and re.search(place, head) for head in heads), asked["texts"]


def test_a_conversation_goes_along_and_can_be_begun_anew(grounded, scripted):
    seen = look(grounded.url, ["say", "question", QUESTION], ["say", "question", "And again?"], ["click", "new_conversation", None],
                ["say", "question", QUESTION])
    assert seen[2]["texts"].count(upstream.ANSWER) == 2 and upstream.ANSWER not in seen[3]["texts"]
    roles = [[message["role"] for message in body["messages"]] for path, _, body in scripted.requests[-3:]]
    assert roles == [["user"], ["user", "assistant", "user"], ["user"]]


def test_collections_are_made_and_found_again(serve, scripted):
    lastro = serve(scripted.url)
    for _ in range(2):
        _, made = look(lastro.url, ["type", "new_collection", "manuals"], ["click", "create_collection", None])
        assert made["typed"]["new_collection"] == "" and not made["errors"]
    assert [store["name"] for store in lastro.call("GET", "/v1/vector_stores").json()["data"]] == ["manuals"]


def test_with_a_key_the_originals_come_through_the_page(serve, scripted):
    lastro = serve(scripted.url)
    lastro.upload("pump", ("zephyr-9.pdf", MANUAL))
    _, asked = look(lastro.url, ["say", "question", QUESTION], LASTRO_KEY=key(lastro, "page", "--scopes", "chat,ingest", "--all-collections"))
    assert upstream.ANSWER in asked["texts"] and len(asked["expanders"]) == 1
    assert not any("/content" in text for text in asked["texts"]), "a link would lead to a 401"


@pytest.mark.parametrize("language", ["pt", "en"])
def test_what_is_missing_is_said_and_nothing_typed_is_lost(serve, scripted, language):
    def problem(url, says, *steps, **environment):
        *_, last = look(url, *steps, language=language, **environment)
        [error] = last["errors"]
        assert says[language] in error, error
        return last

    problem(NOBODY, {"pt": "O lastro não responde em " + NOBODY, "en": "lastro does not answer at " + NOBODY})
    typed = problem(NOBODY, {"pt": "make demo", "en": "make demo"}, ["type", "new_collection", "manuals"], ["click", "create_collection", None])
    assert typed["typed"]["new_collection"] == "manuals"

    lonely = serve(NOBODY + "/v1")
    lonely.upload("pump", ("zephyr-9.pdf", MANUAL))
    says = {"pt": "O servidor do modelo de linguagem não responde", "en": "The language model's server does not answer"}
    problem(lonely.url, says)
    asked = problem(lonely.url, says, ["say", "question", "What now?"])
    assert "What now\\?" in asked["texts"], "the question stays, to be asked again"

    closed = serve(scripted.url)
    asker = key(closed, "asker", "--scopes", "chat")
    problem(closed.url, {"pt": "Falta a chave", "en": "The key is missing"})
    problem(closed.url, {"pt": "não vale", "en": "is not in force"}, LASTRO_KEY="sk-lastro-guessed")
    typed = problem(closed.url, {"pt": "não permite isso", "en": "does not allow this"}, ["type", "new_collection", "manuals"],
                    ["click", "create_collection", None], LASTRO_KEY=asker)
    assert typed["typed"]["new_collection"] == "manuals"


class Silent(ThreadingHTTPServer):
    """An LLM server that never ends an answer, nor begins one to a question about a head. `closed` counts clients that left it."""

    daemon_threads = True

    def __init__(self, asked):
        silent = self
        self.closed, self.counted = 0, threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer("application/json", json.dumps(upstream.MODELS).encode())

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
                if "some words" in question:
                    chunk = {"choices": [{"index": 0, "delta": {"content": "Some words"}, "finish_reason": None}]}
                    self.answer("text/event-stream", upstream.frame({"id": "1", "object": "chat.completion.chunk", "created": 1,
                                                                     "model": "silent", **chunk}))
                asked.touch()
                while self.rfile.read(1):
                    pass
                with silent.counted:
                    silent.closed += 1
                    silent.counted.notify_all()

            def answer(self, kind, data):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_stopping_ends_the_generation_and_keeps_what_was_said(serve, tmp_path):
    silent = Silent(tmp_path / "asked")
    lastro = serve(silent.url)
    lastro.upload("pump", ("zephyr-9.pdf", MANUAL))
    before, within = world.script([PYTHON, "-B", CLIENTS / "streamlit_stop.py"],
                                  {"url": lastro.url, "collection": "pump", "asked": str(tmp_path / "asked"), "deadline": world.DEADLINE})
    assert before == {"state": "stopped", "text": "", "passages": 0}
    assert within["state"] == "stopped" and within["text"] == "Some words" and within["passages"]
    with silent.counted:
        assert silent.counted.wait_for(lambda: silent.closed == 2, world.DEADLINE), "the LLM server's connection is closed both times"
    silent.shutdown()
    silent.server_close()


def test_a_file_that_is_chosen_while_the_page_is_drawn_anew_is_not_lost():
    before, mended = world.script([PYTHON, "-B", CLIENTS / "streamlit_queue.py"], {})
    address = ["file_urls_response"]
    assert before["new run"] == [], "Streamlit keeps it by itself: docker/streamlit/mended.py has nothing to mend any more"
    assert mended == {**before, "new run": address}
    assert before["run of a fragment"] == ["delta", *address] and before["new session"] == []
