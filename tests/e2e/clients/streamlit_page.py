"""The page of docker/streamlit as Streamlit runs it, without a browser: what it shows after each of the steps that are asked for.

Run with the Python of .tools/streamlit, whose pins are the page's. A step is [what, key, value]: say (to the chat input), type (into
a text input), click (a button).
"""
import json
import os
import sys
from pathlib import Path

options = json.loads(sys.argv[1])
os.environ.update(options["environment"])
PAGE = Path(__file__).resolve().parents[3] / "docker" / "streamlit"
sys.path.insert(0, str(PAGE))

from streamlit.testing.v1 import AppTest  # noqa: E402  (the page reads its settings when it is imported)


def shown(page):
    return {"texts": [element.value for kind in (page.markdown, page.caption, page.text, page.subheader) for element in kind],
            "errors": [element.value for element in page.error], "exceptions": [element.value for element in page.exception],
            "expanders": [element.label for element in page.expander],
            "typed": {element.key: element.value for element in page.text_input}}


page = AppTest.from_file(str(PAGE / "app.py"), default_timeout=100)
page.query_params["language"] = options["language"]
page.run()
seen = [shown(page)]
for what, key, value in options["steps"]:
    if what == "say":
        page.chat_input(key=key).set_value(value).run()
    elif what == "type":
        page.text_input(key=key).set_value(value)
        continue
    else:
        page.button(key=key).click().run()
    seen.append(shown(page))
print(json.dumps(seen))
