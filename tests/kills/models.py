"""The models that rounds are written by."""
import os
import subprocess

from conftest import BUILD

# A token takes a millisecond or two: slow enough for a fault to find a text under way.
MADE_SHAPE = {"type": "Q8_0", "seed": 3, "context": 100000, "vocab": 2000, "layers": 12, "dim": 512, "heads": 8,
              "kv-heads": 4, "ffn": 1536}


def model_paths(make_made):
    """name → file. make_made(**shape) makes the random one."""
    real = os.environ.get("TRIVIUM_MODEL", "")
    if not os.path.exists(real):
        raise FileNotFoundError("TRIVIUM_MODEL must name the real model's file (make model fetches it)")
    return {"real": real, "chapter": BUILD / "chapter.gguf", "made": make_made(**MADE_SHAPE)}


def make_model_in(folder):
    def make(**shape):
        path = folder / "made.gguf"
        flags = [word for name, value in shape.items() for word in (f"--{name}", str(value))]
        subprocess.run([BUILD / "tests" / "make_model", path, *flags], check=True)
        return path
    return make
