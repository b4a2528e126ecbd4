"""Where a process finds things."""

from pathlib import Path

from compression_contract import keys
from compression_jobs.settings import Settings


def test_a_pod_s_mounts_are_the_default():
    settings = Settings.from_environment({"HOME": "/scratch"})

    assert settings.input == Path(keys.INPUT_FILE)
    assert settings.termination_log == Path(keys.TERMINATION_LOG)
    assert settings.secret_folders == (
        Path(keys.STORAGE_SECRET_FOLDER),
        Path(keys.REGISTRY_SECRET_FOLDER),
    )


def test_variables_move_them_one_by_one():
    settings = Settings.from_environment(
        {"COMPRESSION_TERMINATION_LOG": "/tmp/log", "COMPRESSION_SCRATCH": ""}
    )

    assert settings == Settings(termination_log=Path("/tmp/log"))
