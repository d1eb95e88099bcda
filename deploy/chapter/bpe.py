"""Byte-level byte-pair encoding as GPT-2 has it, for plain ASCII text: training, encoding, and the spelling of tokens."""
import collections
import re

# GPT-2's split, for ASCII: contractions, words, numbers and signs with the space before them, other white space.
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def letters():
    """How each byte is written in a vocabulary: visible ones as themselves, the others from U+0100 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xa1, 0xac + 1), *range(0xae, 0xff + 1)]
    table = {byte: chr(byte) for byte in visible}
    for byte in range(256):
        table.setdefault(byte, chr(0x100 + len(table) - len(visible)))
    return table


LETTERS = letters()
FIRST = sorted(LETTERS.values())


def spell(piece):
    return tuple(LETTERS[byte] for byte in piece.encode())


def merged(word, pair):
    out, i = [], 0
    while i < len(word):
        both = word[i:i + 2] == pair
        out.append(word[i] + word[i + 1] if both else word[i])
        i += 2 if both else 1
    return tuple(out)


def train(text, n_merges):
    """The merges in order of rank: each time the pair that is most frequent, of equals the first in the alphabet."""
    words = collections.Counter(SPLIT.findall(text))
    words = {spell(word): count for word, count in words.items()}
    merges = []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        changed = collections.Counter()
        for word, count in words.items():
            changed[merged(word, best) if best[0] in word else word] += count
        words = changed
    return merges


class Encoder:
    def __init__(self, merges):
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.tokens = FIRST + [a + b for a, b in merges]
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        self.known = {}

    def encode_piece(self, piece):
        word = spell(piece)
        while len(word) > 1:
            best = min(zip(word, word[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            word = merged(word, best)
        return [self.ids[token] for token in word]

    def encode(self, text):
        ids = []
        for piece in SPLIT.findall(text):
            if piece not in self.known:
                self.known[piece] = self.encode_piece(piece)
            ids += self.known[piece]
        return ids
