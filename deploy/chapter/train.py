#!/usr/bin/python3
"""Train the chapter's model: train.py CORPUS OUT.gguf [STEPS]; needs python3-torch.

A GPT as the chapter builds it: learned positions, LayerNorm before each block, attention without biases, GELU, output
head tied to the embedding; about 661 thousand parameters, with a byte-level BPE vocabulary made from the corpus.
"""
import math
import re
import sys

import torch
from torch import nn
from torch.nn import functional as F

import bpe
import gguf

DIM, N_HEADS, N_LAYERS, FFN_DIM, N_CTX = 112, 4, 3, 448, 256
N_VOCAB = 1584
END = "<|endoftext|>"
STEPS_DEFAULT, BATCH, WARM_UP = 1300, 32, 60
RATE, RATE_LAST, DECAY = 4e-3, 1e-4, 0.1
HELD_OUT = 20                                   # each 20th story
SEED = 11


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (nn.Linear(DIM, DIM, bias=False) for _ in range(4))
        self.ffn_up, self.ffn_down = nn.Linear(DIM, FFN_DIM), nn.Linear(FFN_DIM, DIM)
        self.later = torch.full((N_CTX, N_CTX), -math.inf).triu(1)      # no row sees what comes after it

    def heads(self, x):
        return x.view(*x.shape[:2], N_HEADS, DIM // N_HEADS).transpose(1, 2)

    def forward(self, x):
        h = self.attn_norm(x)
        q, k, v = (self.heads(linear(h)) for linear in (self.attn_q, self.attn_k, self.attn_v))
        scores = q @ k.transpose(2, 3) / math.sqrt(DIM // N_HEADS) + self.later[:x.shape[1], :x.shape[1]]
        a = torch.softmax(scores, dim=-1) @ v
        x = x + self.attn_output(a.transpose(1, 2).reshape(x.shape))
        return x + self.ffn_down(F.gelu(self.ffn_up(self.ffn_norm(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd, self.position_embd = nn.Embedding(N_VOCAB, DIM), nn.Embedding(N_CTX, DIM)
        self.blk = nn.ModuleList(Block() for _ in range(N_LAYERS))
        self.output_norm = nn.LayerNorm(DIM)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * N_LAYERS) if last else 1))

    def forward(self, ids):
        x = self.token_embd(ids) + self.position_embd(torch.arange(ids.shape[1]))
        for block in self.blk:
            x = block(x)
        return self.output_norm(x) @ self.token_embd.weight.T


def read_stories(path):
    with open(path) as file:
        stories = [story.strip("\n") for story in re.split(re.escape(END) + r" \d+\n", file.read())]
    stories = [story for story in stories if story]
    held_out = stories[::HELD_OUT]
    return [story for number, story in enumerate(stories) if number % HELD_OUT], held_out


def windows(stories, encoder, end):
    """All ids in a row, with an end before each story, and where stories begin with a whole window after them."""
    ids, begins = [], []
    for story in stories:
        begins.append(len(ids))
        ids += [end, *encoder.encode(story)]
    ids.append(end)
    begins = [begin for begin in begins if begin + N_CTX < len(ids)]
    return torch.tensor(ids), torch.tensor(begins)


def batch_at(ids, begins):
    rows = torch.stack([ids[begin:begin + N_CTX + 1] for begin in begins.tolist()])
    return rows[:, :-1], rows[:, 1:]


def loss_of(model, x, y):
    return F.cross_entropy(model(x).reshape(-1, N_VOCAB), y.reshape(-1))


@torch.no_grad()
def held_out_loss(model, stories, encoder, end):
    """Nats a token and a byte, each story from its begin on, as far as the context goes."""
    nats = n_tokens = n_bytes = 0
    for story in stories:
        ids = [end, *encoder.encode(story), end][:N_CTX + 1]
        x, y = torch.tensor([ids[:-1]]), torch.tensor([ids[1:]])
        nats += loss_of(model, x, y).item() * (len(ids) - 1)
        n_tokens += len(ids) - 1
        n_bytes += sum(len(encoder.tokens[number]) for number in ids[1:] if number != end)
    return nats / n_tokens, nats / n_bytes


def rate_at(step, n_steps):
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    return RATE_LAST + (RATE - RATE_LAST) * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (n_steps - WARM_UP)))


def train(model, ids, begins, n_steps):
    wide = [p for p in model.parameters() if p.dim() == 2]
    narrow = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": wide, "weight_decay": DECAY}, {"params": narrow, "weight_decay": 0}],
                                  betas=(0.9, 0.99))
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, n_steps)
        chosen = begins[torch.randint(len(begins), (BATCH,))]
        loss = loss_of(model, *batch_at(ids, chosen))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: {loss.item():.3f}", flush=True)


def round_weights(model):
    """To float16, which the file holds."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.copy_(weight.half().float())


def save(path, model, encoder, merges):
    tensors = [(name, (p.half() if p.dim() == 2 else p).detach().numpy()) for name, p in model.named_parameters()]
    end = len(encoder.tokens)
    gguf.write(path, [
        ("general.architecture", gguf.STRING, "gpt2"),
        ("general.name", gguf.STRING, "chapter"),
        ("general.license", gguf.STRING, "apache-2.0"),
        ("gpt2.context_length", gguf.UINT32, N_CTX),
        ("gpt2.embedding_length", gguf.UINT32, DIM),
        ("gpt2.feed_forward_length", gguf.UINT32, FFN_DIM),
        ("gpt2.block_count", gguf.UINT32, N_LAYERS),
        ("gpt2.attention.head_count", gguf.UINT32, N_HEADS),
        ("gpt2.attention.layer_norm_epsilon", gguf.FLOAT32, 1e-5),
        ("tokenizer.ggml.model", gguf.STRING, "gpt2"),
        ("tokenizer.ggml.pre", gguf.STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", gguf.STRING, [*encoder.tokens, END]),
        ("tokenizer.ggml.token_type", gguf.INT32, [1] * end + [3]),
        ("tokenizer.ggml.merges", gguf.STRING, [f"{a} {b}" for a, b in merges]),
        ("tokenizer.ggml.bos_token_id", gguf.UINT32, end),
        ("tokenizer.ggml.eos_token_id", gguf.UINT32, end),
        ("tokenizer.ggml.add_bos_token", gguf.BOOL, True),
    ], tensors)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    torch.manual_seed(SEED)
    stories, held_out = read_stories(sys.argv[1])
    merges = bpe.train("\n".join(stories), N_VOCAB - len(bpe.FIRST) - 1)
    encoder = bpe.Encoder(merges)
    end = len(encoder.tokens)
    ids, begins = windows(stories, encoder, end)
    model = GPT()
    print(f"{len(stories)} stories, {len(ids)} tokens, {len(held_out)} held out; "
          f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    train(model, ids, begins, int(sys.argv[3]) if len(sys.argv) == 4 else STEPS_DEFAULT)
    round_weights(model)
    save(sys.argv[2], model, encoder, merges)
    by_token, by_byte = held_out_loss(model, held_out, encoder, end)
    print(f"held out: {by_token:.3f} nats a token, {by_byte:.3f} a byte")


if __name__ == "__main__":
    main()
