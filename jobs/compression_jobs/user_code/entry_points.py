"""What an author's code offers, and under which names.

Owns the description (`code.json` in the folder, the facts of the artifact) and importing what it names.
Importing runs the author's code: only training pods do, which have no credential.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import StringConstraints, ValidationError

from compression_contract.base import Frozen
from compression_contract.methods import Count
from compression_jobs.errors import InvalidData, first_problem

DESCRIPTION: Final = "code.json"
MAX_DESCRIPTION_BYTES: Final = 64 * 1024
NAME: Final = "code"
"""What the network and the reader are called in `student.arch` and `dataset.reader`."""

EntryPoint = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", max_length=200)
]
"""``module:name``, as Python's packages write it."""


class EntryPoints(Frozen):
    """What is offered; a part that is left out is the image's own."""

    network: EntryPoint | None = None
    """``network(input_shape, num_classes) -> paddle.nn.Layer``."""
    reader: EntryPoint | None = None
    """A class of readers, made without arguments."""


class Check(Frozen):
    """What the code is tried with on a person's machine."""

    input_shape: tuple[Count, ...] = (1, 32, 32)
    num_classes: Count = 10


class Description(Frozen):
    """The file that an author writes."""

    entry_points: EntryPoints
    check: Check = Check()


def describe(folder: Path) -> Description:
    """What a folder says of itself.

    Raises:
        InvalidData: CodeInvalid.
    """
    try:
        with (folder / DESCRIPTION).open("rb") as file:
            return Description.model_validate(json.loads(file.read(MAX_DESCRIPTION_BYTES)))
    except ValidationError as error:
        raise invalid(f"{DESCRIPTION}: {first_problem(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise invalid(f"{DESCRIPTION} cannot be read ({error})") from error


def of_facts(facts: dict[str, Any]) -> EntryPoints:
    """What an artifact's manifest says.

    Raises:
        InvalidData: CodeInvalid.
    """
    try:
        return EntryPoints.model_validate(facts.get("entryPoints"))
    except ValidationError as error:
        raise invalid(f"its manifest: {first_problem(error)}") from error


def imported(folder: Path, point: str) -> Any:
    """Import what an entry point names from a folder.

    Raises:
        InvalidData: CodeInvalid; and whatever the code raises.
    """
    module, _, name = point.partition(":")
    top = module.partition(".")[0]
    if not ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
        raise invalid(f"it has no module {top!r}, which the entry point {point} names")
    for path in (path for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()):
        # A module that hides one of Python's own breaks others long after it was imported.
        if path.stem in sys.stdlib_module_names or path.stem.startswith("compression_"):
            raise invalid(f"{path.name} has the name of another module; give it another one")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    found = importlib.import_module(module)
    if not callable(getattr(found, name, None)):
        raise invalid(f"the module {module} has no {name}, which the entry point {point} names")
    return getattr(found, name)


def invalid(why: str) -> InvalidData:
    """The author's code cannot be used as it is."""
    return InvalidData("CodeInvalid", f"The author's code cannot be used: {why}.")
