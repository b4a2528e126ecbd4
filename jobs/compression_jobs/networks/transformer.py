"""Transformer encoders (Vaswani et al. 2017), and the vision transformer (Dosovitskiy et al. 2021).

Owns attention in a form that converts: one layer for queries, keys and values, and no length but the batch's
left open. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compression_jobs.framework import functional, nn, paddle

_WIDENING: Final = 4
"""Features of the feed-forward layer for each one of the block (section 3.3)."""


class SelfAttention(nn.Layer):  # type: ignore[misc]
    """Multi-head scaled dot-product attention of a sequence to itself."""

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads, self.size, self.length = heads, width // heads, length
        self.joint = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: paddle.Tensor) -> paddle.Tensor:
        """[n, length, width] to the same."""
        split = self.joint(tokens).reshape([-1, self.length, 3, self.heads, self.size])
        queries, keys, values = split.transpose([2, 0, 3, 1, 4]).unbind(0)
        scores = paddle.matmul(queries * self.size**-0.5, keys, transpose_y=True)
        mixed = paddle.matmul(functional.softmax(scores, axis=-1), values)
        return self.output(mixed.transpose([0, 2, 1, 3]).reshape([-1, self.length, self.heads * self.size]))


class EncoderBlock(nn.Layer):  # type: ignore[misc]
    """Attention and a feed-forward layer, each normalised before and added to what came in (pre-norm)."""

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, length)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, _WIDENING * width), nn.GELU(), nn.Linear(_WIDENING * width, width)
        )

    def forward(self, tokens: paddle.Tensor) -> paddle.Tensor:
        """[n, length, width] to the same."""
        tokens = tokens + self.attention(self.first_norm(tokens))
        return tokens + self.feed_forward(self.second_norm(tokens))


class Encoder(nn.Layer):  # type: ignore[misc]
    """Places learned, blocks, a last normalisation, the mean over the sequence, a linear classifier."""

    def __init__(self, tokens: nn.Layer, length: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.places = self.create_parameter(
            [1, length, width], default_initializer=nn.initializer.TruncatedNormal(std=0.02)
        )
        self.blocks = nn.Sequential(*(EncoderBlock(width, heads, length) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: paddle.Tensor) -> paddle.Tensor:
        """What `tokens` takes to features [n, width]."""
        return self.norm(self.blocks(self.tokens(inputs) + self.places)).mean(axis=1)


class Patches(nn.Layer):  # type: ignore[misc]
    """An image as a sequence of square patches."""

    def __init__(self, channels: int, width: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Conv2D(channels, width, size, stride=size)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """[n, channels, h, w] to [n, (h / size) (w / size), width]."""
        return self.embedding(images).flatten(2).transpose([0, 2, 1])


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """Patches, encoder, classifier; pooling by the mean (Zhai et al. 2022) in place of a class token."""

    width: int = 64
    depth: int = 4
    heads: int = 4
    patch: int = 4

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        channels, height, breadth = input_shape
        length = (height // self.patch) * (breadth // self.patch)
        patches = Patches(channels, self.width, self.patch)
        encoder = Encoder(patches, length, self.width, self.depth, self.heads)
        return nn.Sequential(encoder, nn.Linear(self.width, classes))
