"""How a child process's end becomes an error, with real children."""

import sys
from pathlib import Path

import pytest

from compression_jobs import children
from compression_jobs.errors import Defect, OutOfMemory, TransferFailed


def _python(code: str, **options):
    return children.run([sys.executable, "-c", code], doing="testing", **{"timeout": 60, **options})


def test_gives_what_the_child_said():
    assert _python("print('said')").stdout == "said\n"


def test_a_child_that_the_kernel_killed_ran_out_of_memory():
    with pytest.raises(OutOfMemory) as caught:
        _python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")

    assert caught.value.exit_code == 137
    assert "testing" in caught.value.message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; print('first', file=sys.stderr); sys.exit('the last words')", "code 1: the last words"),
        ("import sys; sys.exit(3)", "code 3: it said nothing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
def test_a_child_that_fails_is_a_defect_with_its_last_words(code, says):
    with pytest.raises(Defect, match=says):
        _python(code)


def test_the_caller_may_judge_the_exit_code_itself():
    assert _python("import sys; sys.exit(3)", check=False).returncode == 3


def test_a_child_that_does_not_end_is_stopped():
    with pytest.raises(TransferFailed, match="did not end") as caught:
        _python("import time; time.sleep(60)", timeout=0.2)

    assert caught.value.reason == "ChildTimedOut"


def test_a_child_reads_nothing_and_sees_only_the_environment_it_is_given(tmp_path: Path):
    code = "import os, sys; print(repr(sys.stdin.read()), sorted(os.environ), os.getcwd())"

    said = _python(code, environment={"ONLY": "this"}, folder=tmp_path).stdout

    assert said.startswith("''")
    assert "'ONLY'" in said
    assert "'HOME'" not in said
    assert str(tmp_path) in said
