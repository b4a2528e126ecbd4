"""The server's settings from environment variables."""

import pytest

from compression_serving.errors import ModelError
from compression_serving.settings import Settings


def test_without_variables_the_defaults_hold():
    assert Settings.from_environment({"PATH": "/bin"}) == Settings()


def test_variables_change_what_they_name():
    given = {"COMPRESSION_SERVING_PORT": "9000", "COMPRESSION_SERVING_SELF_CHECK": "false"}
    settings = Settings.from_environment(given)
    assert (settings.port, settings.self_check) == (9000, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "tcp://10.0.0.1:8080"),
        ("PORT", "70000"),
        ("MAX_BATCH_ROWS", "0"),
        ("MAX_DELAY_MS", "-1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(name, value):
    with pytest.raises(ModelError, match=f"COMPRESSION_SERVING_{name}") as refused:
        Settings.from_environment({f"COMPRESSION_SERVING_{name}": value})
    assert "enableServiceLinks" in str(refused.value)
