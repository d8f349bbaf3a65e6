"""A streamed chat in each way of citing, through litellm, whose pins collide with those of the other tests."""
import json
import sys

import litellm

options = json.loads(sys.argv[1])
said = {}
for mode in options["modes"]:
    request = {"model": f"openai/{options['model']}", "api_base": options["url"], "api_key": "none", "num_retries": 0,
               "messages": [{"role": "user", "content": options["question"]}], "extra_headers": {"X-RAG-Citations": mode}}
    text, annotations = "", []
    for chunk in litellm.completion(stream=True, **request):
        delta = chunk.choices[0].delta
        text += delta.content or ""
        annotations += getattr(delta, "annotations", None) or []
    message = litellm.completion(**request).choices[0].message
    said[mode] = {"text": text, "annotations": annotations, "whole": message.content,
                  "wholeAnnotations": getattr(message, "annotations", None) or []}
print(json.dumps(said, default=lambda value: value.model_dump()))
