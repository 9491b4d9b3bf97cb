"""Pictures as uint8 rows, as tensors in [−1, 1], and many as one."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def to_tensor(pictures: Tensor) -> Tensor:
    """Pictures (b, h, w, 3) uint8 to images (b, 3, h, w) in [−1, 1], channels last in memory."""
    return pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def to_uint8(images: Tensor) -> Tensor:
    """Images (b, 3, h, w) in [−1, 1] to pictures (b, h, w, 3) uint8 on the host."""
    pictures = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return pictures.permute(0, 2, 3, 1).cpu()


def mosaic(images: Tensor, columns: int) -> Image.Image:
    """One picture of images (b, 3, h, w) in [−1, 1], row by row."""
    return sheet(to_uint8(images).numpy(), columns)


def sheet(pictures: NDArray[np.uint8], columns: int) -> Image.Image:
    """One picture of pictures (b, h, w, 3), row by row."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    whole = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = k // columns * height, k % columns * width
        whole[top : top + height, left : left + width] = picture
    return Image.fromarray(whole)
