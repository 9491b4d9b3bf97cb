"""Networks that are about to be loaded are made without values."""

import subprocess
import sys

from torch import nn

from mezzotint.nn.init import unfilled


def network() -> nn.Module:
    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.GroupNorm(1, 3))
    nn.init.normal_(tensor=net[1].weight)
    return net


def test_an_unfilled_network_has_shapes_and_no_memory():
    with unfilled():
        empty = network()
    full = network()
    assert all(weight.is_meta for weight in empty.parameters())
    assert not any(weight.is_meta for weight in full.parameters())
    shapes = [{n: w.shape for n, w in net.state_dict().items()} for net in (empty, full)]
    assert shapes[0] == shapes[1]
    empty.load_state_dict(full.state_dict(), assign=True)
    assert not any(weight.is_meta for weight in empty.parameters())


def test_an_unfilled_network_costs_no_compiler():
    code = (
        "import sys\nfrom torch import nn\nfrom mezzotint.nn.init import unfilled\n"
        "with unfilled(): nn.Embedding(5, 4)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
