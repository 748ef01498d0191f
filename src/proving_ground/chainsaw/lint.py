"""`proving-ground chainsaw lint`: what of a tree cannot be run, and what is known to surprise in the rest."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.chainsaw.conventions import load_folder
from proving_ground.chainsaw.discovery import find_test_files, folders, is_step_file
from proving_ground.chainsaw.documents import Where
from proving_ground.chainsaw.failures import place
from proving_ground.chainsaw.lint_rules import (
    CODES,
    Surprise,
    is_cluster_scoped,
    name_of,
    resources_of,
    warnings_of,
)
from proving_ground.chainsaw.loader import file_problems, load_each
from proving_ground.chainsaw.model import Apply, Create
from proving_ground.chainsaw.resources import repeated_keys
from proving_ground.chainsaw.run import CONFIGURATION_FILE, find_configuration
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from proving_ground.chainsaw.model import Configuration, Test

_YAML_NAME = re.compile(r"[\w.*?{}\[\]/@+-]+\.ya?ml")
_NOT_NAMED = re.compile(r"values.*|kustomization|\.chainsaw.*")
_YAML = (".yaml", ".yml")


@dataclass
class Findings:
    """What there is to tell.

    Attributes:
        files: Test files that were read.
        tests: Tests in them that can be run.
        refusals: Why something cannot be run.
        warnings: What may surprise.
    """

    files: int = 0
    tests: int = 0
    refusals: list[ConfigurationError] = field(default_factory=list)
    warnings: list[Surprise] = field(default_factory=list)


def lint(
    roots: Sequence[Path], test_file: str = "chainsaw-test", ignored: Collection[str] = (), *, remote: bool = False
) -> Findings:
    """Return what there is to tell about the tests below folders.

    Args:
        roots: The folders.
        test_file: Name of test files.
        ignored: Codes of warnings that are not wanted.
        remote: Whether files at an address are allowed.

    Raises:
        ConfigurationError: A root is no folder, a code is not known, or there is no test.
    """
    for code in ignored:
        if code not in CODES:
            raise ConfigurationError(f"there is no warning {code!r}", where="--ignore", hint=", ".join(CODES))
    files = find_test_files(roots, test_file)
    if not files:
        raise ConfigurationError(f"no test file {test_file!r} below {', '.join(map(str, roots))}")
    findings = Findings(files=len(files))
    configurations = _configurations(roots, findings)
    tests: list[Test] = []
    for path in files:
        tests += _load(path, test_file, findings, remote=remote)
    findings.tests = len(tests)
    warnings = list(_warnings(tests, files, configurations))
    findings.warnings = sorted(
        {warning for warning in warnings if warning.code not in ignored},
        key=lambda warning: (str(warning.where.file), warning.where.line, warning.code, warning.what),
    )
    return findings


def _configurations(roots: Sequence[Path], findings: Findings) -> dict[Path, Configuration]:
    """Return the Configurations of a tree by their path, those above it included."""
    found = {folder / CONFIGURATION_FILE for folder in folders(roots)} | {Path.cwd() / CONFIGURATION_FILE}
    found |= {path for root in roots if (path := find_configuration(root.absolute(), Path.cwd())) is not None}
    loaded: dict[Path, Configuration] = {}
    for path in sorted({path.resolve() for path in found if path.is_file()}):
        try:
            loaded[path] = load_configuration(path)
        except ConfigurationError as error:
            findings.refusals.append(error)
    return loaded


def _load(path: Path, test_file: str, findings: Findings, *, remote: bool) -> Iterator[Test]:
    try:
        if is_step_file(path, test_file):
            folder = load_folder(path.parent)
            tests: tuple[Test, ...] = (folder,) if folder is not None else ()
        else:
            tests, problems = load_each(path)
            findings.refusals += problems
    except ConfigurationError as error:
        findings.refusals.append(error)
        return
    told: set[str] = set()
    for test in tests:
        for problem in file_problems(test, remote=remote):
            if str(problem) not in told:  # scenarios of one document share their files
                told.add(str(problem))
                findings.refusals.append(problem)
        if test.scenario == 1:
            yield test


def _warnings(
    tests: Sequence[Test], files: Sequence[Path], configurations: dict[Path, Configuration]
) -> Iterator[Surprise]:
    everywhere = configurations.get((Path.cwd() / CONFIGURATION_FILE).resolve())
    for test in tests:
        nearest = find_configuration(test.directory.resolve())
        own = configurations.get(nearest) if nearest is not None else None
        yield from warnings_of(test, own or everywhere)
    yield from _names(tests)
    yield from _shared_objects(tests)
    yield from _files_beside(tests, files)


def _names(tests: Iterable[Test]) -> Iterator[Surprise]:
    first: dict[str, Test] = {}
    for test in tests:
        other = first.setdefault(test.name, test)
        if other is not test:
            yield Surprise(
                "duplicate-name", test.where, f"a test {test.name!r} is at {place(other.where)}, too", "rename one"
            )


def _shared_objects(tests: Iterable[Test]) -> Iterator[Surprise]:
    """Yield a warning for each cluster-scoped object that a second test writes."""
    writers: dict[tuple[str, str], Test] = {}
    for test in tests:
        if test.concurrent is False:
            continue
        for step in test.steps:
            for operation in step.try_:
                if not isinstance(operation, Apply | Create):
                    continue
                for resource in resources_of(operation, test, step):
                    key = (str(resource.obj.get("kind")), name_of(resource.obj))
                    if not key[1] or not is_cluster_scoped(resource.obj):
                        continue
                    other = writers.setdefault(key, test)
                    if other is not test:
                        yield Surprise(
                            "shared-object",
                            resource.where,
                            f"{' '.join(key)} is written by {other.name!r} at {place(other.where)}, too",
                            "give each its own name, or say concurrent: false",
                        )


def _files_beside(tests: Sequence[Test], files: Sequence[Path]) -> Iterator[Surprise]:
    """Yield a warning for each YAML file beside a test that nothing names, and for keys that come again."""
    named: set[Path] = {path.resolve() for path in files}
    by_folder: dict[Path, list[Test]] = defaultdict(list)
    for test in tests:
        by_folder[test.directory].append(test)
    for path in files:
        named |= _named_in(path, path.parent)
    for folder, here in sorted(by_folder.items()):
        if any(test.path == test.directory for test in here):
            continue  # numbered files: each is a step
        for name in sorted(os.listdir(folder)):
            path = folder / name
            if path.suffix not in _YAML or not path.is_file() or _NOT_NAMED.fullmatch(path.stem):
                continue
            if path.resolve() not in named:
                yield Surprise(
                    "unused-file", Where(path, 1), "no operation of a test names this file", "a typing error in a glob?"
                )
    for path in sorted(named - {path.resolve() for path in files}):
        yield from _repeated(path)


def _named_in(path: Path, folder: Path, depth: int = 0) -> set[Path]:
    """Return the files that the text of a test names, and those that the step templates among them name."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return set()
    found: set[Path] = set()
    for word in {word.removeprefix("./") for word in _YAML_NAME.findall(text)}:
        if word.startswith("/"):
            continue
        try:
            matches = [match for match in folder.glob(word) if match.is_file()]
        except (ValueError, NotImplementedError, re.error):
            continue
        found |= {match.resolve() for match in matches}
    if depth == 0:
        for template in sorted(found):
            found |= _named_in(template, folder, 1)
    return found


def _repeated(path: Path) -> Iterator[Surprise]:
    try:
        repeated = repeated_keys(path)
    except ConfigurationError:
        return  # told as a refusal where an operation names the file
    for each in repeated:
        yield Surprise(
            "repeated-key",
            each.where,
            f"{each.key!r} is in line {each.first} already; the last one counts",
            "remove one",
        )


def as_text(findings: Findings) -> str:
    """Return what there is to tell for people."""
    lines = [f"refused {_shown(error)}" for error in findings.refusals]
    for warning in findings.warnings:
        hint = f" ({warning.hint})" if warning.hint else ""
        lines.append(f"warning {_from_here(str(warning.where))}: {warning.what}{hint} [{warning.code}]")
    refused = f"{len(findings.refusals)} refused"
    counts = [_counted(findings.files, "test file"), _counted(findings.tests, "test"), refused]
    return "\n".join([*lines, ", ".join([*counts, _counted(len(findings.warnings), "warning")])]) + "\n"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _shown(error: ConfigurationError) -> str:
    return _from_here(str(error))


def _from_here(text: str) -> str:
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def as_json(findings: Findings) -> str:
    """Return the same for programs."""
    document = {
        "files": findings.files,
        "tests": findings.tests,
        "refusals": [_refusal(error) for error in findings.refusals],
        "warnings": [
            {
                "code": warning.code,
                "file": str(warning.where.file),
                "line": warning.where.line,
                "what": warning.what,
                "hint": warning.hint,
            }
            for warning in findings.warnings
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _refusal(error: ConfigurationError) -> dict[str, object]:
    file, _, line = error.where.rpartition(":")
    known = line.isdecimal()
    return {
        "file": file if known else error.where,
        "line": int(line) if known else None,
        "what": error.what,
        "hint": error.hint,
    }
