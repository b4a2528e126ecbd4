"""Package: the serving base plus the model's two layers, pushed by digest and tagged last.

Owns what an image of a model consists of. Decides nothing: which candidate is shipped, and under which tag,
comes in. The same input gives the same digest each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from compression_contract import keys
from compression_contract.artifacts import ArtifactKind
from compression_contract.base import canonical_json
from compression_contract.inputs import PackageInput
from compression_contract.results import PackageFacts
from compression_contract.served_model import (
    DESCRIPTION_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    MODEL_FOLDER,
    ServedModel,
    TensorSpec,
)
from compression_jobs.artifacts import LocalArtifact, digest_of_file
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.registry import (
    Bytes,
    Descriptor,
    File,
    ImageReference,
    Layer,
    LayerFile,
    Registry,
    Remote,
    Repository,
    append_layers,
    build_layer,
)
from compression_jobs.registry.layers import BaseImage, NewImage
from compression_jobs.registry_access import connect, explained

_RESERVED_LABELS: Final = "org.opencontainers."
_LARGEST_CONFIG: Final = 4 << 20
_GOLDEN_IN_ARTIFACT: Final = "golden.npz"


def run(context: StageContext[PackageInput]) -> StageOutcome:
    """Build and push the image; returns where it is and what it weighs.

    Raises:
        InvalidData: ModelNotEvaluated, EvaluationIncomplete; TagConflict, the tag names another image.
        Denied: PushDenied, PullDenied.
        NotFound: BaseImageNotFound.
        Unavailable, TransferFailed: the registry's state; another attempt may do better.
    """
    given = context.parameters
    if reserved := sorted(label for label in given.labels if label.startswith(_RESERVED_LABELS)):
        raise InvalidInput("LabelReserved", f"The label {reserved[0]} is set by packaging itself; remove it.")
    candidate = context.fetch(given.candidate, ArtifactKind.CANDIDATE, only={MODEL_FILE})
    evaluation = context.fetch(given.evaluation, ArtifactKind.EVALUATION, only={_GOLDEN_IN_ARTIFACT})
    description = describe(given, candidate, evaluation)
    layers = _layers(description, candidate, evaluation, context.folder("layers"))
    target = Repository.parse(given.repository)
    reference = ImageReference.parse(given.serving_base)
    with ExitStack() as stack:
        registry = stack.enter_context(connect(context, target))
        same = reference.repository.host == target.host
        source = registry if same else stack.enter_context(connect(context, reference.repository))
        with explained("reading the serving base", denied="PullDenied", absent="BaseImageNotFound"):
            base = _base(source, reference)
        image = append_layers(base, layers, _labels(given, description), _environment())
        with explained("pushing the image", denied="PushDenied", absent="RepositoryNotFound"):
            _push(registry, target.name, image, layers, (source, reference.repository.name))
            _tag(registry, target.name, image, given.tag)
    return StageOutcome(
        PackageFacts(
            repository=given.repository,
            tag=given.tag,
            manifest_digest=image.manifest.digest,
            layer_digest=layers[0].digest,
            layer_bytes=layers[0].size,
            image_bytes=len(image.config) + sum(layer.size for layer in image.manifest.layers),
            model_digest=description.model_digest,
            golden_digest=description.golden_digest,
        )
    )


def describe(given: PackageInput, candidate: LocalArtifact, evaluation: LocalArtifact) -> ServedModel:
    """What model.json says of the candidate, by what the evaluator saw when it opened the file.

    Raises:
        InvalidData: ModelNotEvaluated, EvaluationIncomplete.
    """
    model_digest = digest_of_file(candidate.file(MODEL_FILE))
    facts = evaluation.manifest.facts
    if facts.get("modelDigest") != model_digest:
        raise InvalidData(
            "ModelNotEvaluated",
            f"The candidate's {MODEL_FILE} has digest {model_digest}, but the evaluation {evaluation.digest} "
            f"measured {facts.get('modelDigest')}; evaluate this candidate.",
        )
    return ServedModel(
        name=given.model,
        version=given.version,
        artifact_digest=candidate.digest,
        model_digest=model_digest,
        golden_digest=digest_of_file(evaluation.file(_GOLDEN_IN_ARTIFACT)),
        format=given.format,
        inputs=_tensors(facts.get("inputs"), evaluation.digest),
        outputs=_tensors(facts.get("outputs"), evaluation.digest),
        threads=given.threads,
        tolerance=given.tolerance,
    )


def _tensors(recorded: Any, evaluation: str) -> tuple[TensorSpec, ...]:
    try:
        tensors = TypeAdapter(tuple[TensorSpec, ...]).validate_python(recorded)
    except ValidationError:
        tensors = ()
    if not tensors:
        raise InvalidData(
            "EvaluationIncomplete",
            f"The evaluation {evaluation} does not record the model's inputs and outputs; evaluate again.",
        )
    return tensors


def _layers(
    description: ServedModel, candidate: LocalArtifact, evaluation: LocalArtifact, folder: Path
) -> tuple[Layer, Layer]:
    """The model's layer and the golden pairs' layer; the second weighs nothing in a size gate."""
    root = PurePosixPath(MODEL_FOLDER)
    model = [
        LayerFile(root / MODEL_FILE, candidate.file(MODEL_FILE)),
        LayerFile(root / DESCRIPTION_FILE, canonical_json(description.wire())),
    ]
    golden = [LayerFile(root / GOLDEN_FILE, evaluation.file(_GOLDEN_IN_ARTIFACT))]
    return build_layer(model, folder / "model.tar.gz"), build_layer(golden, folder / "golden.tar.gz")


def _labels(given: PackageInput, description: ServedModel) -> dict[str, str]:
    own = {
        "org.opencontainers.image.title": given.model,
        f"{keys.GROUP}/artifact-digest": description.artifact_digest,
        f"{keys.GROUP}/model-digest": description.model_digest,
        f"{keys.GROUP}/golden-digest": description.golden_digest,
    }
    if given.version:
        own["org.opencontainers.image.version"] = given.version
    return {**given.labels, **own}


def _environment() -> dict[str, str]:
    return {"COMPRESSION_SERVING_MODEL_FOLDER": MODEL_FOLDER}


def _base(source: Registry, reference: ImageReference) -> BaseImage:
    name = reference.repository.name
    manifest = source.image_manifest(name, reference.digest)
    raw = source.blob(name, manifest.config.digest, _LARGEST_CONFIG)
    return BaseImage.read(str(reference.repository), manifest, raw)


def _push(
    registry: Registry, name: str, image: NewImage, layers: tuple[Layer, ...], base: tuple[Registry, str]
) -> None:
    """Blobs first, then the manifest by its digest: a reader never finds half an image."""
    source, source_name = base
    own = {layer.digest: File(layer.file) for layer in layers}
    mount = source_name if source is registry else ""
    for layer in _distinct(image.manifest.layers):
        if layer.digest in own:
            registry.ensure_blob(name, layer, own[layer.digest])
        else:
            registry.ensure_blob(name, layer, Remote(source, source_name, layer.digest), mount)
    registry.ensure_blob(name, image.manifest.config, Bytes(image.config))
    registry.put_manifest(name, image.manifest)


def _distinct(layers: tuple[Descriptor, ...]) -> Iterator[Descriptor]:
    """Each layer once: the empty layer may occur several times."""
    return iter({layer.digest: layer for layer in layers}.values())


def _tag(registry: Registry, name: str, image: NewImage, tag: str) -> None:
    """Set the tag unless it is set already; a tag is never moved.

    Raises:
        InvalidData: TagConflict.
    """
    present = registry.resolve(name, tag)
    if present is None:
        registry.put_manifest(name, image.manifest, tag)
        present = registry.resolve(name, tag)
    if present != image.manifest.digest:
        raise InvalidData(
            "TagConflict",
            f"{registry.host}/{name}:{tag} is {present}, this image is {image.manifest.digest}; "
            "give the model another version or remove that tag.",
        )
