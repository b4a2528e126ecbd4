"""Images pushed to a real registry: complete, by digest, and never sent twice."""

import json
import tarfile

import pytest

from cluster.images import archive, build, pin, push, recipes, store
from cluster.images.tarball import Entry
from cluster.progress import Step
from component.release import registry_process
from compression_jobs.registry import Denied, DockerConfig, NotFound


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with registry_process.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def target(registry, request) -> push.Target:
    """A prefix of its own for each test."""
    return push.Target(
        f"{registry.host}/{request.node.name.replace('_', '-').lower()}",
        DockerConfig.parse(registry.docker_config()),
        registry.ca_bundle,
    )


@pytest.fixture
def cache(tmp_path) -> store.Store:
    return store.Store(tmp_path / "store")


def filled(cache: store.Store, name: str, content: bytes) -> store.Layer:
    return cache.layer(name, lambda: [Entry(name, data=content)])[0]


@pytest.fixture
def images(cache) -> dict[str, build.Built]:
    """Two images of one base, as the builder assembles them."""
    layers = {
        "base": filled(cache, "base", b"b" * 100_000),
        **{n: filled(cache, n, n.encode()) for n in "xy"},
    }
    made = {name: recipes.Image(("base", name), ("python3",)) for name in "xy"}
    return {name: build._assemble(name, image, cache, layers) for name, image in made.items()}


def remarks(steps: list[Step]) -> list[str]:
    return [step.action(lambda *_: None) for step in steps]


def test_an_image_can_be_read_back_whole_by_its_digest(images, target, cache):
    references = push.push(images.values(), target, cache)
    with target.connect("x") as registry:
        name = target.repository("x").name
        manifest = registry.manifest(name, images["x"].digest)
        config = json.loads(registry.blob(name, manifest.config.digest, 1 << 20))
        sizes = [registry.blob_size(name, layer.digest) for layer in manifest.layers]
    assert references["x"] == f"{target.prefix}/x@{images['x'].digest}"
    assert sizes == [layer.size for layer in images["x"].layers]
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in images["x"].layers]
    assert (config["config"]["User"], config["created"]) == ("65532:65532", "1970-01-01T00:00:00Z")


def test_a_shared_layer_is_sent_once_and_a_second_push_sends_nothing(images, target, cache):
    pusher = push.Pusher(target, cache)
    steps = [pusher.step(name, lambda image=image: image) for name, image in images.items()]
    sent = [float(remark.split(" MB")[0]) for remark in remarks(steps)]
    assert sent == [
        pytest.approx(sum(images["x"].blobs.values()) / 1e6, abs=0.05),
        pytest.approx(0, abs=0.05),
    ]
    assert all(remark.startswith("there already") for remark in remarks(steps))


def test_the_same_content_has_the_same_digest_in_another_store(images, tmp_path):
    other = store.Store(tmp_path / "other")
    layers = {"base": filled(other, "base", b"b" * 100_000), "x": filled(other, "x", b"x")}
    again = build._assemble("x", recipes.Image(("base", "x"), ("python3",)), other, layers)
    assert again.digest == images["x"].digest


def test_a_wrong_password_is_refused_and_says_so(images, target, registry, cache):
    stranger = push.Target(
        target.prefix, DockerConfig.parse(registry.docker_config(password="wrong")), registry.ca_bundle
    )
    with pytest.raises(Denied, match=registry.host):
        remarks([push.Pusher(stranger, cache).step("x", lambda: images["x"])])


def test_an_archive_holds_the_image_under_the_name_that_containerd_gives_it(images, cache, tmp_path):
    name = archive.write(images["x"], tmp_path, cache)
    with tarfile.open(tmp_path / "x.tar") as found:
        index = json.load(found.extractfile("index.json"))
        blobs = {member.name.rpartition("/")[2]: member.size for member in found if member.isreg()}
    [entry] = index["manifests"]
    assert entry["annotations"] == {"io.containerd.image.name": name}
    assert {entry["digest"], *images["x"].blobs} <= {f"sha256:{blob}" for blob in blobs}


def test_a_base_is_pinned_to_what_its_tag_means_now(images, tmp_path, cache):
    with (
        registry_process.token_server(tmp_path / "tokens") as tokens,
        registry_process.registry(tmp_path / "public", tokens.auth_section()) as public,
    ):
        bundle = public.ca_bundle + tokens.tls.pem
        config = DockerConfig.parse(public.docker_config())
        push.push([images["x"]], push.Target(f"{public.host}/library", config, bundle), cache)
        pinned = pin.pin(f"{public.host}/library/x", push.tag(images["x"].digest), bundle, config)
        assert pinned == f"{public.host}/library/x@{images['x'].digest}"
        with pytest.raises(NotFound):
            pin.pin(f"{public.host}/library/x", "no-such-tag", bundle, config)
