"""Small Paddle networks that each hold what is hard to export.

Transposed convolutions, attention over tokens, recurrent layers, concatenation. As many answers as classes or
more, so that a decision can be compared.
"""

from __future__ import annotations

from compression_jobs.framework import nn, paddle
from compression_jobs.networks.blocks import convolution, projection
from compression_jobs.networks.transformer import Encoder

WORDS, LENGTH = 200, 12


class Decoder(nn.Layer):
    """Down to a quarter and up again by transposed convolutions: heat maps [n, classes, h / 2, w / 2]."""

    def __init__(self, channels, classes):
        super().__init__()
        self.encoder = nn.Sequential(
            convolution(channels, 16, 3, stride=2),
            convolution(16, 24, 3, stride=2),
            convolution(24, 32, 3, stride=2),
        )
        self.up = nn.Sequential(
            nn.Conv2DTranspose(32, 24, 4, stride=2, padding=1, bias_attr=False),
            nn.BatchNorm2D(24),
            nn.ReLU(),
            nn.Conv2DTranspose(24, 16, 2, stride=2),
            nn.ReLU(),
        )
        self.head = nn.Conv2D(16, classes, 1)

    def forward(self, images):
        return self.head(self.up(self.encoder(images)))


class Recogniser(nn.Layer):
    """Convolutions, a recurrent layer both ways along the width, a linear layer: CRNN (Shi et al. 2015)."""

    def __init__(self, channels, classes, recurrent):
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, 16, 3), nn.MaxPool2D(2, 2), convolution(16, 24, 3), nn.MaxPool2D(2, 2)
        )
        self.collapse = nn.AdaptiveAvgPool2D((1, None))
        self.recurrent = recurrent(24, 24, direction="bidirect")
        self.head = nn.Linear(48, classes)

    def forward(self, images):
        steps = self.collapse(self.body(images)).squeeze(2).transpose([0, 2, 1])
        return self.head(self.recurrent(steps)[0])


class Branches(nn.Layer):
    """Two ways side by side, joined by concatenation and by average pooling, as in Inception."""

    def __init__(self, channels, classes):
        super().__init__()
        self.stem = convolution(channels, 16, 3, stride=2)
        self.left, self.right = convolution(16, 16, 1), projection(16, 16, 3)
        self.pool = nn.AvgPool2D(2, 2)
        self.last = convolution(32, 32, 3)
        self.mean = nn.AdaptiveAvgPool2D(1)
        self.head = nn.Linear(32, classes)

    def forward(self, images):
        features = self.stem(images)
        joined = self.pool(paddle.concat([self.left(features), self.right(features)], axis=1))
        return self.head(self.mean(self.last(joined)).flatten(1))


class Words(nn.Layer):
    """A table of words and learned places in front of a transformer encoder: tokens [n, LENGTH] to logits."""

    def __init__(self, classes, width=32):
        super().__init__()
        self.encoder = Encoder(nn.Embedding(WORDS, width), LENGTH, width, depth=2, heads=2)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.head(self.encoder(tokens))
