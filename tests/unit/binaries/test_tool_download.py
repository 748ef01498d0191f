from __future__ import annotations

import json

import pytest
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError
from ansible_collections.proving.ground.plugins.module_utils.tool_download import _require_safe, published_sha256

DIGEST = "ab" * 32
OTHER = "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        DIGEST,
        f"{DIGEST}\n",
        DIGEST.upper(),
        f"{DIGEST}  tool-linux-amd64\n",
        f"{OTHER}  tool-linux-arm64\n{DIGEST} *./release/tool-linux-amd64\r\n",
        json.dumps({"assets": [{"name": "tool-linux-amd64", "digest": f"sha256:{DIGEST}"}]}),
    ],
)
def test_each_way_to_publish_a_checksum_is_understood(text: str) -> None:
    assert published_sha256(text.encode(), "tool-linux-amd64", where="x") == DIGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>Not found</html>",
        f"{OTHER}  tool-linux-amd64.asc\n",
        DIGEST[:-1],
        "{",
        "{}",
        '{"assets": null}',
        '{"assets": [1]}',
        json.dumps({"assets": [{"name": "tool-linux-amd64", "digest": None}]}),
        json.dumps({"assets": [{"name": "tool-linux-amd64", "digest": "md5:0"}]}),
        "\udcff",
    ],
)
def test_a_file_without_a_published_checksum_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="https://x/sums: expected the SHA-256 of tool-linux-amd64, found none"):
        published_sha256(text.encode("utf-8", "surrogateescape"), "tool-linux-amd64", where="https://x/sums")


@pytest.mark.parametrize("url", ["https://dl.k8s.io/x", "http://127.0.0.1:8/x", "http://[::1]:8/x"])
def test_https_and_this_machine_may_be_downloaded_from(url: str) -> None:
    _require_safe(url)


@pytest.mark.parametrize(
    "url", ["http://dl.k8s.io/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "", "http://127.evil/"]
)
def test_anything_else_may_not(url: str) -> None:
    with pytest.raises(ToolError, match="expected an https:// address"):
        _require_safe(url)
