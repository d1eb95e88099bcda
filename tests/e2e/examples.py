"""The samplers of samplerd/examples, each in its language."""
from conftest import BUILD, ROOT

FOLDER = ROOT / "samplerd" / "examples"
EXAMPLES = ("sampler.py", "sampler.rb")


def start_example(stack, name, address, *arguments):
    stack.environment.update(PYTHONPATH=str(BUILD / "gen" / "python"), RUBYLIB=str(BUILD / "gen" / "ruby"))
    return stack.start(name, address, *arguments, program=FOLDER / name)
