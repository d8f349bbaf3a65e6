"""A relay of bytes before vLLM that remembers them: what lastro sent, and what vLLM said to it."""
import http.client
import io
import socket
import threading
from urllib.parse import urlsplit


class Tap:
    """Listens at `address`, and passes every connection on. One request at a time is what it is made for."""

    def __init__(self, upstream):
        self.upstream = urlsplit(upstream)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.exchanges = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed with the tests
            server = socket.create_connection((self.upstream.hostname, self.upstream.port))
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(id(client), source, target, is_answer), daemon=True).start()

    def _pass_on(self, connection, source, target, is_answer):
        try:
            while data := source.recv(65536):
                self._remember(connection, data, is_answer)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # One side has gone: so does the other.
            source.close()
            target.close()

    def _remember(self, connection, data, is_answer):
        with self.lock:
            exchanges = self.exchanges.setdefault(connection, [])
            # No client of HTTP/1.1 that we know asks again before it was answered.
            if not is_answer and (not exchanges or exchanges[-1][1]):
                exchanges.append((bytearray(), bytearray()))
            if exchanges:
                exchanges[-1][is_answer].extend(data)

    def forget(self):
        with self.lock:
            self.exchanges = {}

    def exchange(self, method, path):
        """The body that was sent with the one request since `forget`, and vLLM's response to it."""
        begin = f"{method} {path} HTTP/1.1\r\n".encode()
        with self.lock:
            found = [(bytes(request), bytes(answer)) for exchanges in self.exchanges.values()
                     for request, answer in exchanges if request.startswith(begin)]
        assert len(found) == 1, f"{len(found)} requests for {method} {path} reached vLLM"
        (request, answer), = found
        response = http.client.HTTPResponse(Recorded(answer), method=method)
        response.begin()
        return request.partition(b"\r\n\r\n")[2], response

    def close(self):
        self.listener.close()


class Recorded:
    """Bytes in the place of a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, *_):
        return io.BytesIO(self.data)
