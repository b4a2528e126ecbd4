"""Where example datasets come from: files of the data image, and pictures and sound that are made here.

Owns the registry that `kind` of a prepare-data input is looked up in. The same settings give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from compression_contract.inputs import PrepareDataInput
from compression_jobs.readers import DatasetFacts
from compression_jobs.sources import boards, idx, keywords, lines

SOURCES: Final[Mapping[str, Callable[[PrepareDataInput, Path], DatasetFacts]]] = {
    "idx": idx.write,
    "boards": boards.write,
    "ocr": lines.write,
    "keywords": keywords.write,
}
