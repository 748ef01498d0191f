"""Reading kubeconfigs: how to reach a cluster, and as whom.

Follows the reference of ``kubectl config`` (``v1.Config`` of client-go): what is given inline goes before what is in
a file, and paths are relative to the kubeconfig. What cannot be honoured is refused, not ignored.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
import urllib.parse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.errors import ConfigurationError
from proving_ground.kube.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_LARGEST = 4 << 20
_LONGEST_NAME = 80
_REFUSED = {"auth-provider": "Kubernetes dropped it in 1.26; use exec"}
_AS_IT_IS = Overrides()
_PLUGIN_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A program that hands out credentials (``exec`` of a user).

    Attributes:
        command: Name, or path (absolute already).
        arguments: Its arguments.
        environment: Variables on top of those of this process.
        api_version: Version of ExecCredential that it speaks.
        hint: What to do where it is not installed.
        cluster: What it is told about the cluster, if it asks for that.
    """

    command: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = field(repr=False)
    api_version: str
    hint: str = ""
    cluster: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an API server, and as whom.

    Attributes:
        server: URL, without a slash at its end.
        where: The kubeconfig, for messages.
        user: Name of the user in it.
        ca: Certificates (PEM) of those whom to trust; None: those of the system.
        insecure: Whether the server's certificate is not verified.
        server_name: Name to verify the server's certificate against; empty: that of the URL.
        proxy: URL of an HTTP proxy, or empty.
        certificate: Client certificate (PEM).
        key: Its key (PEM).
        token: Bearer token.
        token_file: File of a bearer token, which goes before ``token``.
        username: For basic authentication.
        password: For basic authentication.
        plugin: Who hands out credentials.
        impersonate: Headers that ask to act as somebody else (Kubernetes' "user impersonation").
    """

    server: str
    where: str = ""
    user: str = ""
    ca: bytes | None = None
    insecure: bool = False
    server_name: str = ""
    proxy: str = field(default="", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    plugin: Plugin | None = None
    impersonate: tuple[tuple[str, str], ...] = ()


class _Section:
    """A mapping of the file, with errors that say where it is."""

    def __init__(self, content: object, path: Path, place: str) -> None:
        self.path = path
        self._place = place
        if not isinstance(content, dict):
            raise self.wrong(f"{place or 'the kubeconfig'} is no mapping")
        self.content: dict[Any, Any] = content

    def wrong(self, what: str, hint: str = "") -> ConfigurationError:
        return ConfigurationError(what, where=str(self.path), hint=hint)

    def name(self, key: str) -> str:
        return f"{self._place}: {key}" if self._place else key

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(f"{self.name(key)} is no text")
        return value

    def flag(self, key: str) -> bool:
        value = self.content.get(key) or False
        if not isinstance(value, bool):
            raise self.wrong(f"{self.name(key)} is neither true nor false")
        return value

    def entries(self, key: str) -> list[_Section]:
        value = self.content.get(key) or []
        if not isinstance(value, list):
            raise self.wrong(f"{self.name(key)} is no list")
        return [_Section(entry, self.path, f"{self.name(key)}[{number}]") for number, entry in enumerate(value)]

    def named(self, group: str, name: str, inner: str) -> _Section:
        found = [entry for entry in self.entries(group) if entry.content.get("name") == name]
        if len(found) != 1:
            said = f"{len(found)} entries" if found else "no entry"
            raise self.wrong(f"{group} has {said} named {_shown(name)}", "kubectl config view shows what there is")
        return _Section(found[0].content.get(inner), self.path, f"{inner} {_shown(name)}")

    def file(self, key: str) -> Path | None:
        value = self.text(key)
        if "\0" in value:
            raise self.wrong(f"{self.name(key)} is no path")
        return self.path.parent / value if value else None

    def material(self, key: str) -> bytes | None:
        """Return what a field holds, inline (``<key>-data``, base64) or in a file, or None."""
        try:
            if inline := self.text(f"{key}-data"):
                return base64.b64decode("".join(inline.split()), validate=True)
            if (file := self.file(key)) is not None:
                return file.read_bytes()
        except ValueError as error:  # binascii's is one
            raise self.wrong(f"{self.name(key)} cannot be read: {key}-data is no base64") from error
        except OSError as error:
            raise self.wrong(f"{self.name(key)} cannot be read: {error.strerror}: {error.filename}") from error
        return None


def read_access(path: Path, context: str | None = None, overrides: Overrides = _AS_IT_IS) -> Access:
    """Read one context of a kubeconfig. Nothing is run and nobody is asked.

    Args:
        path: The kubeconfig, one file.
        context: Which; None: the file's current one.
        overrides: What goes before the kubeconfig; its context before ``context``.

    Raises:
        ConfigurationError: The file cannot be read, has no such context, or the context is not complete.
    """
    choice = _choose(_Section(_load(path), path, ""), overrides.context or context, overrides)
    cluster, user = choice.cluster, choice.user
    for refused, why in _REFUSED.items():
        if user.content.get(refused):
            raise user.wrong(f"{user.name(refused)} cannot be honoured", why)
    certificate, key = user.material("client-certificate"), user.material("client-key")
    if (certificate is None) != (key is None):
        missing = "client-key" if key is None else "client-certificate"
        raise user.wrong(f"{user.name(missing)} is missing, the other half of the pair is there")
    ca = cluster.material("certificate-authority")
    return Access(
        server=_url(cluster, "server", "the cluster of the context has no server"),
        where=str(path),
        user=choice.user_name,
        ca=ca,
        insecure=cluster.flag("insecure-skip-tls-verify"),
        server_name=cluster.text("tls-server-name"),
        proxy=_url(cluster, "proxy-url"),
        certificate=certificate,
        key=key,
        token=user.text("token").strip() or None,
        token_file=user.file("tokenFile"),
        username=user.text("username"),
        password=user.text("password"),
        plugin=_plugin(user, cluster, ca) if user.content.get("exec") else None,
        impersonate=_impersonation(user),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a context and the overrides select."""

    context: str
    cluster_name: str
    cluster: _Section
    user_name: str
    user: _Section


def _choose(document: _Section, context: str | None, overrides: Overrides) -> _Choice:
    chosen = context or document.text("current-context")
    if chosen:
        place = document.named("contexts", chosen, "context")
    elif overrides.cluster or overrides.server:
        place = _Section({}, document.path, "context")
    else:
        raise document.wrong("the kubeconfig has no current-context", "kubectl config use-context NAME")
    cluster_name, user_name = overrides.cluster or place.text("cluster"), overrides.user or place.text("user")
    if cluster_name or not overrides.server:
        cluster = document.named("clusters", cluster_name, "cluster")
    else:
        cluster = _Section({}, document.path, "cluster")
    user = document.named("users", user_name, "user") if user_name else _Section({}, document.path, "user")
    cluster.content, user.content = overrides.on_cluster(cluster.content), overrides.on_user(user.content)
    return _Choice(chosen, cluster_name, cluster, user_name, user)


def _impersonation(user: _Section) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask to act as somebody else."""
    groups = user.content.get("as-groups") or []
    extra = user.content.get("as-user-extra") or {}
    if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        raise user.wrong(f"{user.name('as-groups')} is no list of texts")
    if not isinstance(extra, dict) or not all(
        isinstance(key, str) and isinstance(texts, list) and all(isinstance(each, str) for each in texts)
        for key, texts in extra.items()
    ):
        raise user.wrong(f"{user.name('as-user-extra')} is no mapping of lists of texts")
    headers = [("Impersonate-User", name)] if (name := user.text("as")) else []
    headers += [("Impersonate-Uid", uid)] if (uid := user.text("as-uid")) else []
    headers += [("Impersonate-Group", each) for each in groups]
    headers += [
        (f"Impersonate-Extra-{urllib.parse.quote(key, safe='')}", each)
        for key, texts in extra.items()
        for each in texts
    ]
    if headers and not name:
        raise user.wrong("a group, a uid or extra fields are to be impersonated without a user", "name the user, too")
    if not all(value.isprintable() for _, value in headers):
        raise user.wrong("what is to be impersonated holds line breaks or control characters")
    return tuple(headers)


def _load(path: Path) -> object:
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationError(f"the kubeconfig is larger than {_LARGEST >> 20} MiB", where=str(path))
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"the kubeconfig cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigurationError("the kubeconfig cannot be read: it is not YAML", where=f"{path}{line}") from error


def _url(section: _Section, key: str, missing: str = "") -> str:
    text = section.text(key).rstrip("/")
    if not text:
        if missing:
            raise section.wrong(missing)
        return ""
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in text or parts.query or parts.fragment:
        # never its text: a proxy's URL may hold a password
        raise section.wrong(f"{section.name(key)} is no http:// or https:// URL of a host")
    return text


def _plugin(user: _Section, cluster: _Section, ca: bytes | None) -> Plugin:
    section = _Section(user.content["exec"], user.path, user.name("exec"))
    command, version = section.text("command"), section.text("apiVersion")
    if not command or "\0" in command:
        raise section.wrong(f"{section.name('command')} is missing")
    if version not in _PLUGIN_VERSIONS:
        raise section.wrong(
            f"{section.name('apiVersion')} is {_shown(version)}", f"one of {', '.join(_PLUGIN_VERSIONS)}"
        )
    if section.text("interactiveMode") == "Always":
        raise section.wrong(f"{section.name('interactiveMode')} is Always", "nobody is there to answer it")
    arguments = section.content.get("args") or []
    if not isinstance(arguments, list) or not all(isinstance(each, str) and "\0" not in each for each in arguments):
        raise section.wrong(f"{section.name('args')} is no list of texts")
    environment = tuple((entry.text("name"), entry.text("value")) for entry in section.entries("env"))
    if any(not name or "=" in name or "\0" in name + value for name, value in environment):
        raise section.wrong(f"{section.name('env')} has a name or a value that no variable can have")
    if "/" in command:  # as client-go: a path is relative to the kubeconfig, a name is looked up in PATH
        command = str((section.path.parent / command).absolute())
    told = _cluster_info(cluster, ca) if section.flag("provideClusterInfo") else None
    return Plugin(command, tuple(arguments), environment, version, section.text("installHint").strip(), told)


def _cluster_info(cluster: _Section, ca: bytes | None) -> dict[str, Any]:
    """Return ``spec.cluster`` of ExecCredential."""
    info: dict[str, Any] = {"server": cluster.text("server"), "config": None}
    if ca is not None:
        info["certificate-authority-data"] = base64.b64encode(ca).decode()
    for key in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url"):
        if cluster.content.get(key):
            info[key] = cluster.content[key]
    for extension in cluster.entries("extensions"):
        if extension.content.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.content.get("extension")
    return info


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}...")


@contextlib.contextmanager
def with_context(path: Path, context: str | None, overrides: Overrides = _AS_IT_IS) -> Iterator[Path]:
    """Give the path of a kubeconfig for programs that know no other way to choose.

    That is the file itself where its current context is the given one already and nothing goes before it. Otherwise
    it is a copy that only the owner may read, removed at the end.

    Args:
        path: The kubeconfig.
        context: The context; None: its current one.
        overrides: What goes before the kubeconfig.

    Raises:
        ConfigurationError: The file cannot be read, or has no such context.
    """
    context = overrides.context or context
    if context is None and not overrides.change_the_kubeconfig:
        yield path
        return
    document = _Section(_load(path), path, "")
    if document.text("current-context") == context and not replace(overrides, context="").change_the_kubeconfig:
        yield path
        return
    if context and context not in {entry.text("name") for entry in document.entries("contexts")}:
        raise ConfigurationError(f"the kubeconfig has no context {_shown(context)}", where=str(path))
    if replace(overrides, context="").change_the_kubeconfig:
        document = _chosen_only(_choose(document, context, overrides), path)
    else:
        document.content["current-context"] = context
    for kind in ("cluster", "user"):
        for entry in document.entries(f"{kind}s"):
            _make_absolute(_Section(entry.content.get(kind) or {}, path, entry.name(kind)))
    with tempfile.TemporaryDirectory(prefix="proving-ground-kubeconfig-") as scratch:  # mode 0700
        copy = Path(scratch, "kubeconfig")
        copy.write_text(yaml.safe_dump(document.content), encoding="utf-8")
        yield copy


def _chosen_only(choice: _Choice, path: Path) -> _Section:
    """Return a kubeconfig of one context, that of a choice."""
    context, cluster, user = choice.context or "chosen", choice.cluster_name or "chosen", choice.user_name or "chosen"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "clusters": [{"name": cluster, "cluster": choice.cluster.content}],
        "users": [{"name": user, "user": choice.user.content}],
    }
    return _Section(content, path, "")


def _make_absolute(section: _Section) -> None:
    for key in _PATHS:
        if (file := section.file(key)) is not None:
            section.content[key] = str(file.absolute())
    program = section.content.get("exec")
    if isinstance(program, dict) and "/" in str(program.get("command") or ""):
        program["command"] = str((section.path.parent / str(program["command"])).absolute())
