#!/usr/bin/python3
"""Have the model that talks write the corpus: corpus.py BUILD MODEL OUT [N_STORIES]

Starts the three daemons of BUILD with MODEL and lets it go on with N_STORIES openings. Opening, temperature and seed
of a story follow from its number alone, and the pipeline gives the same text to the same request, beside any others:
so OUT is the same to the byte wherever and whenever it is made. A story ends with its last whole sentence, or before
the first odd character. OUT grows in order of number and may be continued: run it again with the same arguments.
"""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import unicodedata

N_STORIES_DEFAULT = 3200
AT_ONCE = 16
MAX_NEW_TOKENS = 130
BYTES_MIN = 150
END = "<|endoftext|>"
HEADING = "Short stories for small children, in simple words and short sentences.\n\n"
TEMPERATURES = (0.5, 0.6, 0.7)

NAMES = (("Lily", "she"), ("Mia", "she"), ("Anna", "she"), ("Sue", "she"), ("Lucy", "she"), ("Rose", "she"),
         ("Tom", "he"), ("Ben", "he"), ("Max", "he"), ("Sam", "he"), ("Tim", "he"), ("Jack", "he"))
ANIMALS = "dog cat bird rabbit bear fox mouse duck frog horse".split()
THINGS = ("red ball", "blue kite", "little boat", "big cake", "shiny stone", "green hat", "good book", "warm blanket",
          "toy train", "yellow flower")
PLACES = "park garden forest house yard barn school river hill kitchen".split()
MOODS = "happy sad hungry tired brave shy".split()
EVENTS = (
    "{name} found a {thing} in the {place}.",
    "{name} lost a {thing} near the {place}. {he} was very sad.",
    "{name} met a {mood} {animal} in the {place}.",
    "{name} saw a {animal} with a {thing}.",
    "{name} wanted to play with a friend. {he} took a {thing} and went to the {place}.",
    "{name} was afraid of the dark. {he} asked mom for help.",
    "{name} played with a {animal} in the {place}.",
    "{name} could not find the way home. {he} asked a {animal} for help.",
    "{name} made a {thing} for a friend.",
    "{name} wanted to go to the {place}, but it rained.",
)
PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-",
                       "\u2026": "...", "\u00a0": " "})


def opening(number):
    """The first sentences of a story, and the temperature at which it goes on."""
    choose = random.Random(number).choice
    (name, he), animal = choose(NAMES), choose(ANIMALS)
    kind = choose((f"little {animal}", f"{choose(MOODS)} {animal}", "girl" if he == "she" else "boy"))
    event = choose(EVENTS).format(name=name, he=he.capitalize(), animal=choose(ANIMALS), thing=choose(THINGS),
                                  place=choose(PLACES), mood=choose(MOODS))
    return f"Once upon a time, there was a {kind} named {name}. One day, {event}", choose(TEMPERATURES)


def write(build, environment, number):
    """The story of this number, or None where it is not fit."""
    begin, temperature = opening(number)
    flags = ["--temperature", temperature, "--top-p", 0.9, "--repetition-penalty", 1.05, "--seed", number,
             "--max-new-tokens", MAX_NEW_TOKENS, "--json"]
    done = subprocess.run([build / "trivium", "generate", "-", *map(str, flags)], input=(HEADING + begin).encode(),
                          env=environment, capture_output=True, check=True)
    return fit(begin + json.loads(done.stdout.splitlines()[-1])["done"]["text"])


def fit(text):
    """Whole sentences in plain letters, paragraphs by single line ends; None where too little is left."""
    text = unicodedata.normalize("NFKC", text.translate(PLAIN))
    text = re.sub(r"[ \t]+", " ", re.sub(r"\s*\n\s*", "\n", text))
    sentences = re.match(r"[A-Za-z0-9 .,;:!?'\"\n-]*[.!?]\"?(?=\s|$)", text)
    return sentences[0] if sentences and len(sentences[0]) >= BYTES_MIN else None


def written_before(out):
    """How many numbers OUT has been through: its last line says so."""
    words = out.read_text().split() if out.exists() else []
    return int(words[-1]) if words else 0


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    build, model, out = map(pathlib.Path, sys.argv[1:4])
    n_stories = int(sys.argv[4]) if len(sys.argv) == 5 else N_STORIES_DEFAULT
    signal.signal(signal.SIGTERM, signal.default_int_handler)   # the daemons end with it
    with tempfile.TemporaryDirectory(prefix="trivium-corpus-") as folder:
        environment = dict(os.environ, XDG_RUNTIME_DIR=folder)
        subprocess.run([build / "trivium", "up", "--model", model], env=environment, check=True)
        try:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool, open(out, "a") as file:
                first = written_before(out)
                stories = pool.map(lambda number: write(build, environment, number), range(first, n_stories))
                for number, story in enumerate(stories, first):
                    if story:
                        file.write(f"{story}\n")
                    file.write(f"{END} {number + 1}\n")
                    file.flush()
        finally:
            subprocess.run([build / "trivium", "down"], env=environment, check=True)


if __name__ == "__main__":
    main()
