"""Writes a GGUF file's model as a Hugging Face folder, which vLLM serves.

usage: convert-gguf.py MODEL.gguf FOLDER

The weights are the GGUF file's, dequantised to bfloat16: they have the precision of the file, not of the original model.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(source, out):
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    out.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(out)

    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    config = model.config.to_dict()
    if config["tie_word_embeddings"]:
        tensors.pop("lm_head.weight", None)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})

    # What is written is no longer quantised, and where it was read from is nobody's business.
    for name in ("quantization_config", "_name_or_path"):
        config.pop(name, None)
    config.update(architectures=[type(model).__name__], dtype="bfloat16")
    (out / "config.json").write_text(json.dumps(config, indent=1, default=str) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
