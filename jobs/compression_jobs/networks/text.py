"""Sentences by convolutions over word vectors (Kim 2014).

Owns the layers. A sentence is a row of token ids; its table of vectors is looked up, never multiplied, so it
stays as it is when the layers behind it become integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_jobs.framework import nn, paddle


@dataclass(frozen=True, slots=True)
class TextNetwork:
    """How many tokens are known, and the sizes of vectors and convolutions."""

    vocabulary: int = 4096
    """At least the dataset's; a larger id would be read beyond the table."""
    vectors: int = 32
    channels: tuple[int, ...] = (64, 64)
    kernel: int = 3

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:  # noqa: ARG002
        """The network with fresh weights: token ids [n, length] to logits [n, classes]."""
        return SentenceClassifier(self, classes)


class SentenceClassifier(nn.Layer):  # type: ignore[misc]
    """See the module."""

    def __init__(self, shape: TextNetwork, classes: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(shape.vocabulary, shape.vectors)
        layers: list[nn.Layer] = []
        inputs = shape.vectors
        for outputs in shape.channels:
            layers += [
                nn.Conv2D(
                    inputs, outputs, (1, shape.kernel), padding=(0, shape.kernel // 2), bias_attr=False
                ),
                nn.BatchNorm2D(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.body = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.output = nn.Linear(inputs, classes)

    def forward(self, tokens: paddle.Tensor) -> paddle.Tensor:
        """See TextNetwork.build."""
        words = self.vectors(tokens).transpose([0, 2, 1]).unsqueeze(2)
        return self.output(self.pool(self.body(words)).flatten(1))
