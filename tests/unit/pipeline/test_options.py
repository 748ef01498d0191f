from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.cli import main, parser
from proving_ground.errors import ConfigurationError, ExitCode
from proving_ground.pipeline.options import RunOptions, new_run_id, parse_extra_vars


def options(*arguments: str) -> RunOptions:
    return RunOptions.from_arguments(parser().parse_args(["run", "nightly", *arguments]))


def test_extra_vars_are_yaml_and_the_last_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "vars.yml"
    file.write_text("a: 1\nb: [x]\n")
    assert parse_extra_vars([f"@{file}", "a=2", "c=true", "d=plain text"]) == {
        "a": 2,
        "b": ["x"],
        "c": True,
        "d": "plain text",
    }


@pytest.mark.parametrize("text", ["novalue", "=x", "a b=c", "@/nowhere/at/all.yml", "a=[", "a={b: }x"])
def test_unusable_extra_vars_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_extra_vars([text])
    assert "\n" not in str(caught.value)


def test_a_file_of_extra_vars_that_holds_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vars.yml"
    file.write_text("- a\n")
    with pytest.raises(ConfigurationError, match="holds no variables"):
        parse_extra_vars([f"@{file}"])


@pytest.mark.parametrize("run_id", ["../x", "UPPER", "a" * 41, "-a", "a-", "a\nb"])
def test_run_ids_that_cannot_name_things_are_refused(run_id: str) -> None:
    with pytest.raises(ConfigurationError):
        options(f"--run-id={run_id}")


def test_a_made_run_id_is_usable_and_new_each_time() -> None:
    first, second = new_run_id(), new_run_id()
    assert first != second
    assert options("--run-id", first).run_id == first


@pytest.mark.parametrize(
    "arguments",
    [
        ["--budget", "soon"],
        ["--budget", "0s"],
        ["--parallel", "0"],
        ["--wait-limit", "-1"],
        ["--wait-limit", "nan"],
        ["--platform", "/nowhere/platform.json"],
        ["--values", "/nowhere/values.yaml"],
    ],
)
def test_unusable_values_name_their_option(arguments: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        options(*arguments)
    assert arguments[0] in str(caught.value)


@pytest.mark.parametrize(
    "arguments", [["run", "nightly", "--nonsense"], ["run"], ["dance"], ["run", "nightly", "--inv", "sim"], []]
)
def test_unknown_options_end_with_three(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == ExitCode.CONFIGURATION
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_unknown_stage_ends_with_three_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nihgtly"]) == ExitCode.CONFIGURATION
    assert "did you mean nightly" in capsys.readouterr().err


def test_an_unknown_inventory_ends_with_three_and_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nightly", "--inventory", "nowhere"]) == ExitCode.CONFIGURATION
    assert "nowhere" in capsys.readouterr().err
