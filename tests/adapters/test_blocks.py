import pytest
import torch
from lora_files import DIALECTS, flux, lora_file, run, sd15, sdxl
from oracles import relative_error

from mezzotint.adapters.base import attached
from mezzotint.adapters.blocks import by_vector, factor_for
from mezzotint.adapters.lora import LoRAFile
from mezzotint.errors import InputError

IN17, OUT17 = (1, 2, 4, 5, 7, 8), range(3, 12)


def test_the_longest_prefix_holds() -> None:
    blocks = {"network": 0.5, "network.down.1": 2.0, "text": 0.0}
    assert factor_for("network.down.1.step.conv.weight", blocks) == 2.0
    assert factor_for("network.down.10.step.conv.weight", blocks) == 0.5
    assert factor_for("text.layers.0.widen.weight", blocks) == 0.0
    assert factor_for("text_2.layers.0.widen.weight", blocks) == 1.0


@pytest.mark.parametrize(
    ("number", "inputs", "outputs"),
    [(17, IN17, OUT17), (26, range(12), range(12))],
)
def test_a_vector_is_a_factor_for_each_block_of_the_original_network(
    number: int, inputs: tuple[int, ...], outputs: range
) -> None:
    """Against the file's tensors themselves multiplied, by the original block's name."""
    parts = sd15()
    tensors = lora_file(DIALECTS["comfyui"], parts)
    torch.manual_seed(0)
    vector = [round(x, 2) for x in torch.rand(number).tolist()]
    names = ["", *(f"input_blocks.{k}." for k in inputs), "middle_block."]
    names += [f"output_blocks.{k}." for k in outputs]
    scaled = {}
    for key, tensor in tensors.items():
        layer = key.removeprefix("diffusion_model.")
        if key.endswith("lora_up.weight") and "_block" in layer:
            factors = [v for n, v in zip(names, vector, strict=True) if n and layer.startswith(n)]
            tensor = (factors[0] if factors else 0.0) * tensor
        scaled[key] = tensor
    with attached(parts, [LoRAFile("file", scaled)]):
        expected = run(parts)
    with attached(parts, [LoRAFile("file", tensors, blocks=by_vector(vector, parts))]):
        assert relative_error(run(parts), expected) <= 1e-10


@pytest.mark.parametrize("number", [12, 20])
def test_vectors_of_xl(number: int) -> None:
    factors = by_vector([2.0, *[0.0] * (number - 2), 3.0], sdxl())
    assert {name for name, factor in factors.items() if factor == 2.0} == {"text", "text_2"}
    last = "network.up.1.blocks.2" if number == 12 else "network.up.2.blocks.2"
    assert {name for name, factor in factors.items() if factor == 3.0} - {"network.up.1.step"} == {
        last
    }


def test_vectors_for_another_network_are_refused() -> None:
    with pytest.raises(InputError, match="17 block weights are for Stable Diffusion 1"):
        by_vector([1.0] * 17, sdxl())
    with pytest.raises(InputError, match="12 block weights are for Stable Diffusion XL"):
        by_vector([1.0] * 12, flux())
    with pytest.raises(InputError, match="13 block weights: there are"):
        by_vector([1.0] * 13, sd15())
