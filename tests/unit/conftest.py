"""Settings that all unit tests share."""

from hypothesis import settings

# How long an example takes says something of the machine's other work, nothing of the code.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
