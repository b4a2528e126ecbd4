"""Bounded texts of a status: what the operator writes is limited as what users write is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

State = Literal["Pending", "Skipped", "Running", "Succeeded", "Failed"]
Verdict = Literal["Pass", "Fail", "Inconclusive", "Error"]
Text16 = Annotated[str, Field(max_length=16)]
Text32 = Annotated[str, Field(max_length=32)]
Text40 = Annotated[str, Field(max_length=40)]
Text63 = Annotated[str, Field(max_length=63)]
Text64 = Annotated[str, Field(max_length=64)]
Text71 = Annotated[str, Field(max_length=71)]
Text128 = Annotated[str, Field(max_length=128)]
Text512 = Annotated[str, Field(max_length=512)]
URI = Annotated[str, Field(max_length=580)]
Image = Annotated[str, Field(max_length=400)]
Small = Annotated[int, Field(ge=0, le=1000)]
