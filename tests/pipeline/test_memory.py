"""What is said where memory is full."""

from dataclasses import replace

import pytest

from mezzotint.errors import InputError
from mezzotint.pipeline.pipeline import Pipeline


@pytest.mark.parametrize(("where", "doing"), [("UNet", "drawing 48x32"), ("Autoencoder", "decod")])
def test_full_memory_is_one_line_that_says_what_to_do(tiny_model, where: str, doing: str) -> None:
    def engine(run, /, *inputs, **named):
        if type(getattr(run, "__self__", run)).__name__ == where:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory:\nyou tried to …")
        return run(*inputs, **named)

    pipe = Pipeline(replace(tiny_model, engine=engine), "tiny")
    with pytest.raises(InputError) as caught:
        pipe.generate("a fox", steps=1, width=48, height=32)
    said = str(caught.value)
    assert said.startswith(f"not enough memory for {doing}")
    assert "--low-memory" in said
    assert "\n" not in said
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_fault_in_a_drawing_is_not_taken_for_full_memory(tiny_model) -> None:
    def engine(run, /, *inputs, **named):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Pipeline(replace(tiny_model, engine=engine), "tiny").generate("a fox", steps=1)
