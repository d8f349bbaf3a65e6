#!/usr/bin/env python3
"""Computes the vectors that the embedding tests are held against.

    reference-vectors.py MODELDIR OUT.json

Reads the texts of tests/fixtures/embedding/texts.json and writes each with its
vector, computed in float64 by PyTorch and transformers, an implementation that
shares nothing with lastro's. A model whose folder is named after e5 gets the
prefix "passage: ". Texts are cut at the model's window: max_seq_length of
sentence_bert_config.json, or else its number of positions.

Needs torch and transformers.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import BertModel

TEXTS = Path(__file__).resolve().parent.parent / "tests/fixtures/embedding/texts.json"


def window(folder):
    sentence = folder / "sentence_bert_config.json"
    if sentence.exists():
        return json.loads(sentence.read_text())["max_seq_length"]
    return json.loads((folder / "config.json").read_text())["max_position_embeddings"]


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: reference-vectors.py MODELDIR OUT.json")
    folder = Path(sys.argv[1])
    prefix = "passage: " if "e5" in folder.name else ""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window(folder))
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).double().eval()
    lines = []
    for text in json.loads(TEXTS.read_text(encoding="utf-8")):
        ids = torch.tensor([tokenizer.encode(prefix + text).ids])
        with torch.no_grad():
            mean = model(input_ids=ids).last_hidden_state[0].mean(0)
        vector = (mean / mean.norm()).tolist()
        # Five digits move a cosine by less than 1e-7.
        numbers = ",".join("%.5g" % x for x in vector)
        lines.append('{"text":%s,"vector":[%s]}' % (json.dumps(text, ensure_ascii=False), numbers))
    Path(sys.argv[2]).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
