"""What is left of a queue of Streamlit's when a run of docker/streamlit begins: kinds of messages, in order, for each way to clear it."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docker" / "streamlit"))

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue  # noqa: E402

import mended  # noqa: E402


def left(*arguments):
    queue = ForwardMsgQueue()
    drawn = ForwardMsg()
    drawn.metadata.delta_path.extend([0, 1])
    drawn.delta.new_element.text.body = "of the run before"
    address = ForwardMsg()
    address.file_urls_response.response_id = "asked"
    for message in (drawn, address):
        queue.enqueue(message)
    queue.clear(*arguments)
    return [message.WhichOneof("type") for message in queue.flush()]


def all_ways():
    return {"new run": left(True), "run of a fragment": left(True, ["fragment"]), "new session": left()}


before = all_ways()
mended.keep_upload_addresses()
mended.keep_upload_addresses()
print(json.dumps([before, all_ways()]))
