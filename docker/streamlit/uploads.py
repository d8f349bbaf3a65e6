"""Files on their way to lastro, each on a thread of its own: no click on the page breaks one off or sends it twice."""
import io
import threading

import lastro

# Of all sessions together; the others wait.
AT_ONCE = threading.Semaphore(4)


class Upload:
    """`state`: waiting, sending, done (lastro has it; the list of documents tells the rest), known, failed."""

    def __init__(self, collection, file):
        self.collection, self.name, self.data = collection, file.name, file.getvalue()
        self.start()

    def start(self):
        self.state, self.sent, self.problem, self.document = "waiting", 0, None, None
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def busy(self):
        return self.state in ("waiting", "sending")

    @property
    def share(self):
        return self.sent / len(self.data) if self.data else 1.0

    def _run(self):
        with AT_ONCE:
            self.state = "sending"
            try:
                known = {document["id"] for document in lastro.documents(self.collection)}
                self.document = lastro.upload(self.collection, self.name, Counted(self))
                self.state = "known" if self.document["id"] in known else "done"
                self.data = b""
            except lastro.Refused as problem:
                self.problem, self.state = problem, "failed"
            except Exception as error:  # whatever it is, the row must not wait for ever
                self.problem, self.state = lastro.Refused("refused", f"{type(error).__name__}: {error}"), "failed"
                raise


class Counted(io.BytesIO):
    """A file that tells its upload how far it was read."""

    def __init__(self, upload):
        super().__init__(upload.data)
        self.upload = upload

    def read(self, size=-1):
        data = super().read(size)
        self.upload.sent = self.tell()
        return data
