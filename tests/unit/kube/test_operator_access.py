"""How operators reach a cluster through kopf."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.kube.kubeconfig import Access
from proving_ground.kube.operator_api import for_kopf

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_that_is_in_a_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    told = for_kopf(Access(server="https://api", token="other", token_file=tmp_path / "token"))
    assert (told.scheme, told.token) == ("Bearer", "from-a-file")


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (Access(server="https://api", token="given"), ("Bearer", "given")),
        (Access(server="https://api", certificate=b"c", key=b"k"), (None, None)),
    ],
)
def test_other_credentials_are_shown_as_they_are(access: Access, shown: tuple[str | None, str | None]) -> None:
    told = for_kopf(access)
    assert (told.scheme, told.token) == shown
    assert (told.certificate_data, told.private_key_data) == (access.certificate, access.key)
