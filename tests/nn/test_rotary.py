import torch

from mezzotint.nn.rotary import rotate, rotation


def test_only_the_distance_between_two_places_counts() -> None:
    query, key = torch.randn(2, 1, 1, 1, 12, generator=torch.Generator().manual_seed(0))

    def product(at: list[int], to: list[int]) -> torch.Tensor:
        cos, sin = rotation(torch.tensor([at, to]), (4, 8))
        turned_query = rotate(query, (cos[:1], sin[:1]))
        turned_key = rotate(key, (cos[1:], sin[1:]))
        return (turned_query * turned_key).sum()

    torch.testing.assert_close(product([3, 5], [1, 9]), product([13, 0], [11, 4]))
    assert (product([3, 5], [1, 9]) - product([3, 5], [2, 9])).abs() > 1e-3


def test_the_first_place_turns_nothing_and_no_place_stretches() -> None:
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, rotation(torch.arange(5).unsqueeze(1), (8,)))
    assert torch.equal(turned[:, :, 0], x[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=3), x.norm(dim=3))
    assert not torch.allclose(turned[:, :, 1], x[:, :, 1])
