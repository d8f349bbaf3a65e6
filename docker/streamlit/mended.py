"""What Streamlit 1.67 does wrong, until it does it right.

Before a browser sends files it asks where to. The answer waits a moment in the session's queue, and a run of the page that begins just
then empties the queue of everything that is not of a few kinds: the browser never learns the address, and the files are lost without
a word. Here the answer is of those kinds.
"""
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

KIND = "file_urls_response"


def keep_upload_addresses():
    clear = ForwardMsgQueue.clear
    if getattr(clear, "keeps_upload_addresses", False):
        return

    def clear_but_upload_addresses(queue, retain_lifecycle_msgs=False, *arguments, **named):
        waiting = [message for message in queue._queue if message.WhichOneof("type") == KIND] if retain_lifecycle_msgs else []
        clear(queue, retain_lifecycle_msgs, *arguments, **named)
        for message in waiting:
            if not any(message is kept for kept in queue._queue):
                queue.enqueue(message)

    clear_but_upload_addresses.keeps_upload_addresses = True
    ForwardMsgQueue.clear = clear_but_upload_addresses
