"""Optimisers by name, with the one learning-rate schedule that all training uses.

Owns the mapping to Paddle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from compression_contract.methods import Optimizer
from compression_jobs.framework import paddle
from compression_jobs.training.rates import rate_factor


def schedule(learning_rate: float, steps: int) -> Any:
    """The learning rate over `steps` steps; `.step()` goes on by one."""
    # Asked once more behind the last step.
    return paddle.optimizer.lr.LambdaDecay(
        learning_rate,
        lambda step: rate_factor(min(step, steps - 1), steps),
    )


def optimizer(settings: Optimizer, rate: Any, parameters: list[Any]) -> Any:
    """An optimiser of some weights, all of them trainable."""
    return _MAKERS[settings.name](settings, rate, parameters)


def _adam(settings: Optimizer, rate: Any, parameters: list[Any]) -> Any:
    return paddle.optimizer.Adam(rate, parameters=parameters, weight_decay=settings.weight_decay or None)


def _adamw(settings: Optimizer, rate: Any, parameters: list[Any]) -> Any:
    # Biases and batch normalisation are not decayed: pulling a scale to zero regularises nothing.
    matrices = {tensor.name for tensor in parameters if len(tensor.shape) > 1}
    return paddle.optimizer.AdamW(
        rate,
        parameters=parameters,
        weight_decay=settings.weight_decay,
        apply_decay_param_fun=lambda name: name in matrices,
    )


def _sgd(settings: Optimizer, rate: Any, parameters: list[Any]) -> Any:
    """With Nesterov momentum of 0.9, as image classifiers are trained."""
    return paddle.optimizer.Momentum(
        rate,
        momentum=0.9,
        use_nesterov=True,
        parameters=parameters,
        weight_decay=settings.weight_decay or None,
    )


_MAKERS: Final[Mapping[str, Callable[[Optimizer, Any, list[Any]], Any]]] = {
    "Adam": _adam,
    "AdamW": _adamw,
    "SGD": _sgd,
}
