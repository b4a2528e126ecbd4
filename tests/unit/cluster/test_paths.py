import threading

from cluster import paths


def test_folders_can_be_chosen(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("COMPRESSION_OPERATOR_CACHE", raising=False)
    monkeypatch.delenv("COMPRESSION_OPERATOR_STATE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert paths.cache() == tmp_path / "xdg" / "compression-operator"
    assert paths.states() == paths.cache() / "state"
    monkeypatch.setenv("COMPRESSION_OPERATOR_CACHE", str(tmp_path / "cache"))
    assert paths.states() == tmp_path / "cache" / "state"
    monkeypatch.setenv("COMPRESSION_OPERATOR_STATE", str(tmp_path / "state"))
    assert paths.states() == tmp_path / "state"


def test_a_file_is_replaced_whole_and_keeps_secrets(tmp_path) -> None:
    path = tmp_path / "deep" / "key"
    paths.write(path, "one", mode=0o600)
    paths.write(path, "two", mode=0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_holds_though_its_file_is_deleted_by_the_holder(tmp_path) -> None:
    inside: list[str] = []
    lock = tmp_path / "lock"

    def enter(name: str) -> None:
        with paths.lock(lock):
            inside.append(name)
            assert inside == [name]
            lock.unlink()
            inside.remove(name)

    threads = [threading.Thread(target=enter, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == []
    assert not lock.exists()
