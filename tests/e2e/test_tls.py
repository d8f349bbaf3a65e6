"""An LLM server behind https: its certificate is checked against the system's authorities."""
import http.server
import ssl
import threading

import pytest
import world

CERTIFICATES = world.ROOT / "tests" / "fixtures" / "tls"
FRAMES = [b'data: {"choices":[{"delta":{"content":"one"}}]}\n\n', b'data: {"choices":[{"delta":{"content":"two"}}]}\n\n',
          b"data: [DONE]\n\n"]


class Stream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = set()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.connections.add(self.client_address)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for frame in [*FRAMES, b""]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            self.wfile.flush()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def secure_upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}/v1"
    server.shutdown()
    thread.join(world.DEADLINE)
    server.server_close()


def chat(lastro, status):
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    return lastro.call("POST", "/v1/chat/completions", status, json=body)


def test_streams_pass_through_a_certificate_that_is_known(start, secure_upstream, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    lastro = start(upstream=secure_upstream, model=None)
    Stream.connections.clear()
    for _ in range(5):
        assert chat(lastro, 200).content == b"".join(FRAMES)
    assert len(Stream.connections) == 1, "a warm connection is used again"


def test_a_certificate_that_nobody_signed_is_refused(start, secure_upstream, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    lastro = start(upstream=secure_upstream, model=None)
    error = chat(lastro, 502).json()["error"]
    assert error["code"] == "upstream_unreachable" and "localhost" not in error["message"], error
    assert "certificate" in lastro.tail().lower(), "the log has the cause"
