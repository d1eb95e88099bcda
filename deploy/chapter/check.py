#!/usr/bin/python3
"""What PyTorch computes from the finished file: check.py FILE.gguf TEXT … prints ids and their log-probabilities, one
JSON object a text. tests/golden/chapter-logprobs.jsonl was made so; needs python3-torch."""
import json
import mmap
import struct
import sys

import numpy
import torch

import bpe
import gguf
import train


def read_gguf(path):
    """(keys, tensors) of a file that gguf.write wrote."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    at = 4

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def text():
        n = take("Q")
        return bytes(take(f"{n}s")).decode()

    forms = {gguf.UINT32: "I", gguf.INT32: "i", gguf.FLOAT32: "f", gguf.BOOL: "?"}

    def value(kind):
        if kind == gguf.ARRAY:
            kind, n = take("IQ")
            return [value(kind) for _ in range(n)]
        return text() if kind == gguf.STRING else take(forms[kind])

    _, n_tensors, n_keys = take("IQQ")
    keys = {text(): value(take("I")) for _ in range(n_keys)}
    infos = []
    for _ in range(n_tensors):
        name, n_dims = text(), take("I")
        dims = [take("Q") for _ in range(n_dims)]
        infos.append((name, dims[::-1], *take("IQ")))
    at += -at % gguf.ALIGNMENT
    return keys, {name: numpy.frombuffer(data, "<f4" if kind == gguf.F32 else "<f2", int(numpy.prod(shape)),
                                         at + offset).reshape(shape) for name, shape, kind, offset in infos}


def main():
    keys, tensors = read_gguf(sys.argv[1])
    model = train.GPT()
    model.load_state_dict({name: torch.tensor(array.astype("float32")) for name, array in tensors.items()})
    encoder = bpe.Encoder([tuple(merge.split(" ")) for merge in keys["tokenizer.ggml.merges"]])
    for text in sys.argv[2:]:
        ids = [keys["tokenizer.ggml.bos_token_id"], *encoder.encode(text)]
        with torch.no_grad():
            logprobs = torch.log_softmax(model(torch.tensor([ids]))[0].double(), dim=-1)
        given = [logprobs[i, number].item() for i, number in enumerate(ids[1:])]
        print(json.dumps({"text": text, "ids": ids, "logprobs": [None] + [round(x, 6) for x in given]}))


if __name__ == "__main__":
    main()
