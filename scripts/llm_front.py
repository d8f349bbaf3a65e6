"""The part of llama.cpp's HTTP interface that the demo and the tests use, for builds of xllamacpp without a server.

Those for Python 3.9 are such builds: there llama.cpp answers through function calls alone.
"""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(llm, host, port, model, context):
    """Answers /v1/models and /v1/chat/completions on a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == "/v1/models":
                entry = {"id": model, "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx": context}}
                self.json(200, {"object": "list", "data": [entry]})
            else:
                self.error(404, "File Not Found", "not_found_error")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/v1/chat/completions":
                return self.error(404, "File Not Found", "not_found_error")
            try:
                request = json.loads(body)
                if not request.get("stream"):
                    return self.json(200, llm.handle_chat_completions(request))
                self.stream(request)
            except (ValueError, RuntimeError, AttributeError) as error:
                self.error(400, str(error), "invalid_request_error")

        def stream(self, request):
            begun = False

            def event(chunks):  # llama.cpp asks after each piece whether to stop
                nonlocal begun
                try:
                    if not begun:
                        begun = True
                        self.send_response(200)
                        self.send_header("Content-Type", "text/event-stream")
                        self.send_header("Transfer-Encoding", "chunked")
                        self.end_headers()
                    for chunk in chunks if isinstance(chunks, list) else [chunks]:
                        self.chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                except OSError:
                    return True
                return False

            llm.handle_chat_completions(request, event)
            if begun:
                try:
                    self.chunk(b"data: [DONE]\n\n")
                    self.chunk(b"")
                except OSError:
                    self.close_connection = True

        def chunk(self, data):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        def json(self, status, value):
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def error(self, status, message, kind):
            self.json(status, {"error": {"code": status, "message": message, "type": kind}})

        def log_message(self, *arguments):
            pass

    threading.Thread(target=ThreadingHTTPServer((host, port), Handler).serve_forever, daemon=True).start()
