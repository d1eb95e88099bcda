#!/usr/bin/python3
"""Makes smollm2-chats.jsonl: conversations, and the ids of the prompts that llama.cpp makes of them.

    llama-server -m SmolLM2-135M-Instruct.Q4_1.gguf -c 2048 --jinja --no-prefill-assistant --port 8090
    make_chats.py http://127.0.0.1:8090 > smollm2-chats.jsonl

llama-server runs the model's own template (/apply-template) and encodes what comes of it (/tokenize), where special
tokens in the text count: so no message here has one. Without --no-prefill-assistant it would go on with a reply that is
the last message, where we begin a new one.
"""
import json
import sys
import urllib.request

SYSTEM = "You answer in one short sentence."
TALK = ["What is the capital of France?", "Paris.", "And of Italy?", "Rome.", "Thank you!"]


def talk(*texts, system=None):
    first = [] if system is None else [{"role": "system", "content": system}]
    return first + [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def conversations():
    for n in range(1, len(TALK) + 1):
        yield talk(*TALK[:n])
        yield talk(*TALK[:n], system=SYSTEM)
    for text in [
        "one line\nanother\n\nand a third\n", "\n", "\n\nbegins with two", "ends with two\n\n", " ", "  two blanks  ",
        "\ttab\t", "", "a\r\nb\r\n", "\n\n\n\n", " \n ", "1", "12345678901234567890", "3.14159 and 2,718",
        "naïve café — “quotes”", "日本語のテキスト", "Привет, мир!", "🌍🚀 emoji 👩‍👩‍👧", "\u00a0no-break\u00a0", "e\u0301",
        "مرحبا بالعالم", "def f(x):\n    return x + 1\n", "{\"a\": [1, 2]}", "It's we're I'll 'quoted'", "<tag> & </tag>",
        "user\n", "assistant\n", "User: x\nAssistant: y", "im_start|>", "<|", "|>", "a" * 300, "x y " * 100,
    ]:
        yield talk(text)
        yield talk("Hello", text, "Go on.", system=text)
    yield [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    yield [{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "So do I."}]


def ask(server, path, question):
    request = urllib.request.Request(server + path, json.dumps(question).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def main():
    server = sys.argv[1].rstrip("/")
    for messages in conversations():
        prompt = ask(server, "/apply-template", {"messages": messages})["prompt"]
        ids = ask(server, "/tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"]
        print(json.dumps({"messages": messages, "ids": ids}, ensure_ascii=False))


main()
