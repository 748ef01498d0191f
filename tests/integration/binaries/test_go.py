"""The real Go, with a module of one file that needs no network."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from ansible_collections.proving.ground.plugins.module_utils.tool_acquisition import Request, acquire
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

if TYPE_CHECKING:
    from .conftest import Workshop

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")


def test_a_tool_is_built_by_go_with_its_version_stamped(workshop: Workshop) -> None:
    source = workshop.definitions / "go" / "m" / "one"
    source.mkdir()
    (source / "main.go").write_text(
        'package main\n\nimport "os"\n\nvar version = "none"\n\n'
        'func main() { os.Stdout.WriteString("one " + version + "\\n") }\n'
    )
    workshop.describe(one={"ldflags": "-X main.version={version}"})
    outcome = acquire(Request(**workshop.arguments(tools=["one"], go=None)))
    answer = subprocess.run([outcome.paths["one"]], capture_output=True, text=True, check=True)
    assert answer.stdout == "one v1.0.0\n"


def test_a_package_that_the_manifest_does_not_have_is_named(workshop: Workshop) -> None:
    with pytest.raises(ToolError, match=r"go build of one in .* ended with 1: .*example\.test/m/one"):
        acquire(Request(**workshop.arguments(tools=["one"], go=None)))
