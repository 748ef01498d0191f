"""Names derived from a model's image: its reference, test folder, object name and served model id.

Everything here is pure and depends on its arguments only, so that the generated tests, the stand-in
of the AIM engine and the inference fleet agree without telling each other.
"""

from __future__ import annotations

import functools
import hashlib
import re

NAME_AND_NAMESPACE = 62
"""Longest name + namespace of an InferenceService: KServe joins them with a dash into one DNS label of 63."""

LONGEST_NAMESPACE = 24
"""Longest namespace that the engine makes for a test; object names leave room for it."""

LONGEST_FOLDER = 253
"""RFC 1123 subdomain, which also fits every file system's 255 bytes."""

LONGEST_REPOSITORY = 255
"""Longest repository name, by the grammar of the distribution project's reference package."""

_HASH = 7

# https://github.com/distribution/reference/blob/main/reference.go
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*(?::[0-9]+)?"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_HOST = re.compile(_DOMAIN, re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_NOT_RFC1123 = re.compile(r"[^a-z0-9-]")
_RFC1123 = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)

ORGANISATIONS = (
    "01-ai", "ai21labs", "allenai", "amd", "baai", "black-forest-labs", "coherelabs", "deepseek-ai", "google",
    "huggingfacetb", "ibm-granite", "internlm", "lumiopen", "meta-llama", "microsoft", "minimaxai", "mistralai",
    "moonshotai", "nvidia", "openai", "qwen", "stabilityai", "swiss-ai", "tiiuae", "upstage", "zai-org",
)  # fmt: skip
"""Organisations of the Hugging Face hub whose images are named after them, lower-case."""


def image_reference(registry: str, name: str, version: str) -> str:
    """Return ``registry/name:version``."""
    return f"{registry}/{name}:{version}"


@functools.lru_cache(maxsize=4096)
def registry_problem(registry: str) -> str:
    """Return what is wrong with a registry such as ``ghcr.io/silogen`` or ``amdenterpriseai``, or nothing."""
    host, slash, path = registry.partition("/")
    if "." in host or ":" in host or host == "localhost":
        if not _HOST.fullmatch(host):
            return "is not a registry such as ghcr.io/silogen or amdenterpriseai"
        return path_problem(path) if slash else ""
    return path_problem(registry)


def path_problem(path: str) -> str:
    """Return what is wrong with the path of an image reference, or nothing."""
    if _PATH.fullmatch(path):
        return (
            "" if len(path) <= LONGEST_REPOSITORY else f"has {len(path)} characters, the limit is {LONGEST_REPOSITORY}"
        )
    if _PATH.fullmatch(path.lower()):
        return "has upper-case letters, which no image reference may have"
    return "is not part of an image reference: lower-case letters and digits, with single . _ - or / between them"


def version_problem(version: str) -> str:
    """Return what is wrong with an image tag, or nothing."""
    if _TAG.fullmatch(version):
        return ""
    return "is not an image tag: up to 128 letters, digits, _ . and -, beginning with none of . and -"


def sanitise(image: str) -> str:
    """Return the image as test folders spell it: lower-case, each of ``/ : .`` replaced by a dash."""
    return image.lower().replace("/", "-").replace(":", "-").replace(".", "-")


def folder_name(image: str) -> str:
    """Return the folder and test of an image, ``aim-`` and the sanitised image in full, valid by RFC 1123.

    Underscores become dashes and dashes at the end are dropped, which `sanitise` alone would leave.
    """
    name = f"aim-{sanitise(image)}"
    return name if _RFC1123.fullmatch(name) else _NOT_RFC1123.sub("-", name).rstrip("-")


def is_rfc1123(name: str) -> bool:
    """Return whether a name is made of lower-case letters, digits and inner dashes, at most `LONGEST_FOLDER` long."""
    return len(name) <= LONGEST_FOLDER and _RFC1123.fullmatch(name) is not None


def object_name(image: str, *, longest_namespace: int = LONGEST_NAMESPACE) -> str:
    """Return the name of an image's AIMService, short enough for KServe in any namespace of that length.

    The folder's name where it fits. Otherwise the registry is left out, the rest is cut, and a hash
    of the whole image is appended: ``aim-openai-gpt-oss-20b-0-9-0-r`` and seven characters.
    """
    limit = NAME_AND_NAMESPACE - longest_namespace
    folder = folder_name(image)
    if len(folder) <= limit:
        return folder
    digest = hashlib.sha256(image.encode()).hexdigest()[:_HASH]
    short = folder_name(image.rpartition("/")[2].lower().removeprefix("aim-"))
    return f"{short[: limit - _HASH - 1].rstrip('-')}-{digest}"


def model_slug(text: str) -> str:
    """Return a model id in the one spelling in which ids and image names can be compared.

    Lower-case, each of ``/ . _`` a dash: ``meta-llama/Llama-3.2-1B`` is ``meta-llama-llama-3-2-1b``.
    """
    return re.sub(r"[/._]", "-", text.lower())


def model_name(image: str) -> str:
    """Return an image's name without registry, tag and the prefix ``aim-``, lower-case."""
    return image.rpartition("/")[2].partition(":")[0].lower().removeprefix("aim-")


def served_model_id(image: str) -> str:
    """Return the id that the model of an image is served under, as far as its name tells.

    AIM images are named after the model's id on the Hugging Face hub, its slash written as a dash:
    ``ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0`` serves ``openai/gpt-oss-20b``. The organisation is
    the longest of `ORGANISATIONS` that fits, otherwise everything before the first dash. An id's upper
    case cannot be told from an image: compare by `model_slug`, which holds for
    ``model_slug(served_model_id(image)) == model_slug(model_name(image))``.
    """
    name = model_name(image)
    known = [o for o in ORGANISATIONS if name.startswith(f"{o}-")]
    organisation = max(known, key=len) if known else name.partition("-")[0]
    rest = name[len(organisation) + 1 :]
    return f"{organisation}/{rest}" if rest else name
