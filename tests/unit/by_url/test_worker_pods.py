"""Options of `proving-ground test` for a load from a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground import cli
from proving_ground.by_url.running import platform_of

if TYPE_CHECKING:
    from pathlib import Path

LOAD = ("test", "--suite", "load", "--url", "http://192.0.2.1:9", "--allow-host", "192.0.2.1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--worker-pods", "0"), "--worker-pods: expected at least 1, found 0"),
        (("--worker-pods", "-2"), "--worker-pods: expected at least 1, found -2"),
        (("--worker-pods", "two"), "invalid int"),
        (("--worker-pods", "101"), "expected worker pods from 0 to 100"),
        (("--worker-pods", "2"), "--worker-pods: no cluster: there is no kubeconfig"),
        (("--worker-pods", "2", "--kubeconfig", "/nowhere/config"), "/nowhere/config: no such kubeconfig"),
        (("--worker-pods", "2", "--kubeconfig", __file__), "test_worker_pods.py:1: the kubeconfig cannot be read"),
        (("--worker-pods", "2", "--processes", "2"), "worker pods or processes"),
        (("--worker-pods", "2", "--worker-image", "No Image"), "expected an image"),
        (("--worker-pods", "2", "--worker-url", "http://127.0.0.1:1"), "127.0.0.1 is not reached from worker pods"),
        (("--worker-pods", "2", "--worker-url", "http://elsewhere"), "--worker-url: load is not sent to elsewhere"),
        (("--worker-url", "http://192.0.2.1"), "--worker-url: expected --worker-pods N"),
        (("--worker-image", "a:1"), "--worker-image: expected --worker-pods N"),
        (("--kubeconfig", "/nowhere"), "--kubeconfig: expected --worker-pods N"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    try:
        code = cli.main([*LOAD, *words])
    except SystemExit as ended:
        code = int(str(ended.code))
    told = capsys.readouterr()
    assert code == 3
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1


def test_the_cluster_of_worker_pods_is_that_of_the_platform() -> None:
    platform = platform_of("http://192.0.2.1", parameters={}, kubeconfig="/kubeconfig")
    assert platform.clusters["default"].kubeconfig == "/kubeconfig"
    assert platform_of("http://192.0.2.1", parameters={}).clusters == {}
