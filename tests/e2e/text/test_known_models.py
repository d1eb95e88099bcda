"""The table of known models: a tiny random file with the keys of each row runs, or is refused, as the row says."""
import json
import re
import subprocess

import pytest

from conftest import BUILD, GOLDEN, ROOT, TIMEOUT_S, Stack

PAGE = ROOT / "deploy" / "MODELS.md"
COLUMNS = ["model", "architecture", "vocabulary", "scaling", "here", "chat template"]
NOTHING = "–"
CONTROL = 3
N_VOCAB = 400

SCALINGS = {
    NOTHING: (),
    "llama3": ("--llama3-context", 128, "--rope-base", 500000),
    "linear": ("--rope-type", "linear", "--rope-factor", 4),
}
LLAMA3 = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
LLAMA3_FIRST, CHATML, BRACKETS = "llama3-first", "chatml-own-system", "inst"

# Templates in the shape of the models' own: a case of templates.jsonl, or a text; and the tokens that it writes, BOS first, EOS last.
# Whose table says "none" has none.
DEEPSEEK = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}{% endif %}"
            "{% if m.role == 'assistant' %}{% set said = m.content.split('</think>')[-1] %}"
            "{{ '<｜Assistant｜>' + said + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}")
DEEPSEEK_CODER = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
                  "{{ '### Instruction:\n' + m.content + '\n' }}{% else %}{{ '### Response:\n' + m.content + '\n<|EOT|>\n' }}"
                  "{% endif %}{% endfor %}{{ '### Response:' }}")
DEEPSEEK_LLM = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content + '\n\n' }}"
                "{% elif m.role == 'assistant' %}{{ 'Assistant: ' + m.content + eos_token }}{% else %}{{ m.content + '\n\n' }}"
                "{% endif %}{% endfor %}{{ 'Assistant:' }}")
FALCON3 = ("{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}{{ '<|assistant|>\n' + m.content + eos_token + '\n' }}"
           "{% else %}{{ '<|' + m.role + '|>\n' + m.content + '\n' }}{% endif %}{% endfor %}{{ '<|assistant|>\n' }}")
HERMES = ("{{ bos_token }}{{ '<|im_start|>system\nYou may call functions.<|im_end|>\n' }}{% for m in messages %}"
          "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}")
TEMPLATES = {
    "SmolLM2 135M Instruct": (CHATML, ("<|im_start|>", "<|im_end|>")),
    "SmolLM2 360M, 1.7B Instruct": (CHATML, ("<|im_start|>", "<|im_end|>")),
    "Llama 3 8B, 70B Instruct": (LLAMA3_FIRST, LLAMA3),
    "Llama 3.1 8B, 70B and 3.3 70B Instruct": ("llama3-dates", LLAMA3),
    "Llama 3.2 1B, 3B Instruct": ("llama3-no-clock", LLAMA3),
    "Hermes 3 Llama 3.1 8B": (HERMES, ("<|begin_of_text|>", "<|start_header_id|>", "<|im_end|>")),
    "DeepSeek-R1-Distill-Llama 8B, 70B": (DEEPSEEK, ("<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜end▁of▁sentence｜>")),
    "DeepSeek LLM 7B Chat": (DEEPSEEK_LLM, ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>")),
    "DeepSeek Coder 1.3B, 6.7B Instruct": (DEEPSEEK_CODER, ("<｜begin▁of▁sentence｜>", "<|EOT|>")),
    "Mistral Nemo 12B Instruct": (BRACKETS, ("<s>", "[INST]", "[/INST]", "</s>")),
    "Falcon3 1B, 3B, 7B, 10B Instruct": (FALCON3, ("<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>")),
}
# What makes its shape another than the tiny one's.
SHAPES = {"Mistral Nemo 12B Instruct": ("--head-dim", 32, "--untied"), "Falcon3 1B, 3B, 7B, 10B Instruct": ("--untied",)}


def read_rows():
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells[2:]]


def read_sentences():
    """reason → the sentence as the page shows it."""
    return dict(re.findall(r"^- (\w+): `(.*)`$", PAGE.read_text(), re.M))


ROWS = read_rows()
THAT_RUN = [row for row in ROWS if row["here"] in ("run", "should run")]
REFUSED = [row for row in ROWS if row["here"].startswith("refused: ")]


def vocabulary_flags(row):
    kind, _, split = row["vocabulary"].partition(", ")
    return ("--tokenizer", kind, "--split", split or "default")


def template_flags(row):
    if row["chat template"] == "none":
        return ("--template", "none")
    template, tokens = TEMPLATES[row["model"]]
    with open(GOLDEN / "templates.jsonl", encoding="utf-8") as stream:
        cases = {case["name"]: case["template"] for case in map(json.loads, stream)}
    known = [token for token in tokens if token in ("<|im_start|>", "<|im_end|>", "<|endoftext|>")]
    added = [token for token in tokens if token not in known]
    ids = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    ids.update((token, N_VOCAB - len(added) + i) for i, token in enumerate(added))
    flags = [text for token in added for text in ("--token", f"{token}={CONTROL}")]
    bos, eos = max(ids[tokens[0]], 1), max(ids[tokens[-1]], 1)
    return (*flags, "--bos", bos, "--eos", eos, "--template", cases.get(template, template))


def made(folder, *flags):
    path = folder / "made.gguf"
    subprocess.run([BUILD / "tests" / "make_model", path, "--vocab", str(N_VOCAB), *map(str, flags)], check=True)
    return path


def test_each_row_is_one_of_the_kinds_that_are_tested():
    assert len(THAT_RUN) + len(REFUSED) == len(ROWS) > 30
    assert {row["model"] for row in THAT_RUN if row["chat template"] != "none"} == set(TEMPLATES)
    assert {row["here"].split(": ")[1] for row in REFUSED} == set(read_sentences())
    assert set(SHAPES) <= set(TEMPLATES)


@pytest.mark.parametrize("row", THAT_RUN, ids=lambda row: row["model"])
def test_a_file_with_the_keys_of_a_row_runs(row, tmp_path):
    family = ("--family", row["architecture"])
    path = made(tmp_path, *family, *vocabulary_flags(row), *SCALINGS[row["scaling"]], *template_flags(row),
                *SHAPES.get(row["model"], ()))
    with Stack() as stack:
        stack.start_all(path)
        done = stack.lines("generate", "the rain", "--greedy", "--max-new-tokens", "4", "--ignore-eos")[-1]["done"]
        assert (done["finish_reason"], done["completion_tokens"]) == ("length", 4)
        chat = stack.run("chat", "--max-new-tokens", "1", "--json", input=b"Hi\n")
        line = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
        form = stack.lines("tokenize", "--input", "-", input=line)[0]["template"]
    assert chat.returncode == 0, chat.stderr.decode()
    said = chat.stderr.decode()
    assert ("has no chat template" in said) == (row["chat template"] == "none"), said
    assert ("template is not known here" in said) == (row["chat template"] == "not recognised"), said
    assert row["chat template"] in ("none", "not recognised", form)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["model"])
def test_a_file_with_the_keys_of_a_row_is_refused_by_its_sentence(row, tmp_path):
    reason = row["here"].split(": ")[1]
    experts = ("--experts", 8) if reason == "experts" else ()
    path = made(tmp_path, "--architecture", row["architecture"], *vocabulary_flags(row), *experts)
    done = subprocess.run([BUILD / "modeld", "--model", path], capture_output=True, timeout=TIMEOUT_S, check=False)
    sentence = read_sentences()[reason].replace('"qwen3"', f'"{row["architecture"]}"')
    said = done.stderr.decode()
    assert (done.returncode, said.count("\n")) == (1, 1)
    assert said.rstrip("\n").endswith(sentence), said
