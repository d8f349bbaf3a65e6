import itertools
import os

import openai
import pytest

import upstream
import world
from manual import MANUAL

for library in (world.TOOLS / "pdfium").glob("libpdfium.*"):
    os.environ.setdefault("LASTRO_PDFIUM", str(library))


@pytest.fixture(scope="session")
def llm(tmp_path_factory):
    """The address of a real llama.cpp server; its model is called smollm2."""
    log = tmp_path_factory.mktemp("llm") / "llm.log"
    server = world.Process([world.TOOLS / "venv" / "bin" / "python", "-B", world.ROOT / "scripts" / "llm-server", "--port", "0",
                            "--parallel", "2", "--die-with-parent"], log)
    yield server.url
    server.end()


@pytest.fixture(scope="session")
def lastro(llm, tmp_path_factory):
    """One server with its embedding model loaded, for the tests that do not need one of their own."""
    server = world.Lastro(tmp_path_factory.mktemp("lastro") / "data", llm)
    server.wait_until_ready()
    yield server
    assert server.end() == 0, server.tail()


@pytest.fixture(scope="session")
def client(lastro):
    """The official SDK, as it is, pointed at lastro."""
    return world.sdk(lastro)


@pytest.fixture(scope="session")
def scripted():
    """An LLM server whose answers are known: see upstream.py."""
    with upstream.Scripted() as server:
        yield server


@pytest.fixture(scope="session")
def grounded(scripted, tmp_path_factory):
    """A server in front of the scripted LLM server, whose store `pump` holds the pump's manual."""
    server = world.Lastro(tmp_path_factory.mktemp("pump") / "data", scripted.url)
    server.wait_until_ready()
    client = world.sdk(server)
    server.store = client.vector_stores.create(name="pump").id
    file = client.vector_stores.files.upload_and_poll(vector_store_id=server.store, file=("zephyr-9.pdf", MANUAL))
    assert file.status == "completed", file
    server.file = file.id
    yield server
    assert server.end() == 0, server.tail()


@pytest.fixture
def store(client):
    """A vector store of one test's own, deleted with it."""
    store = client.vector_stores.create(name="a store")
    yield store
    try:
        client.vector_stores.delete(store.id)
    except openai.NotFoundError:
        pass  # the test deleted it


@pytest.fixture
def start(llm, tmp_path):
    """Starts servers that one test needs for itself."""
    servers, numbers = [], itertools.count(1)

    def start(upstream=llm, data=None, **options):
        servers.append(world.Lastro(data or tmp_path / f"data{next(numbers)}", upstream, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def collection(request):
    """A name that no other test uses."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")[:60]
