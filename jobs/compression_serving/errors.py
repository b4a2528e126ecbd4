"""What a client or an operator of the server is told when something is wrong.

Owns the errors and the HTTP status each of them is answered with.
"""


class ModelError(Exception):
    """The model folder cannot be served as it is; the server refuses to start."""


class RequestError(Exception):
    """A request that is not answered with a prediction; `status` is the HTTP status that says so."""

    status = 400


class UnknownModelError(RequestError):
    """The path names another model or version than the one served."""

    status = 404


class TooLargeError(RequestError):
    """The request has more bytes than the server reads."""

    status = 413


class EncodingError(RequestError):
    """The request's body is encoded in a way that the server does not read."""

    status = 415


class PredictionError(RequestError):
    """The model failed on valid input, or its answer cannot be expressed."""

    status = 500


class NoModelError(RequestError):
    """The image is the bare base: it lives, but has nothing to predict with."""

    status = 503

    def __init__(self) -> None:
        super().__init__("this image carries no model yet: promote a release to it")


class OverloadedError(RequestError):
    """More is waiting than the server promises to answer; another replica, or a moment later, may."""

    status = 503
