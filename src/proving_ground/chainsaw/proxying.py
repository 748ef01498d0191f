"""The operation ``proxy``: a request to a pod or service through the API server."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.processes import Outcome, render_output
from proving_ground.chainsaw.queries import placed, text
from proving_ground.kube import ApiError

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import Proxy
    from proving_ground.chainsaw.scope import Bindings, Scope

_PLURALS = {("v1", "Pod"): "pods", ("v1", "Service"): "services"}


async def proxy(scope: Scope, operation: Proxy) -> Bindings:
    """Run a ``proxy``: GET a path of a pod or service; every answer but success is a failure.

    Returns:
        The operation's outputs, which see the answer as ``$stdout``.
    """
    path = await _path(scope, operation)
    try:
        body = await scope.cluster.raw(path, repeatable=False)
    except ApiError as error:
        raise OperationError(str(error)) from error
    shown = scope.secrecy.hide(render_output(Outcome(body, "", 0, timed_out=False)))
    scope.report.attach(f"output of proxy at line {operation.where.line}", f"GET {scope.secrecy.hide(path)}\n{shown}")
    return await scope.outputs(operation.outputs, None, stdout=body, stderr="", error=None)


async def _path(scope: Scope, operation: Proxy) -> str:
    api_version, kind = await scope.string(operation.api_version), await scope.string(operation.object_kind)
    if (api_version, kind) not in _PLURALS:
        raise OperationError(f"{kind} of {api_version} cannot be reached: only Pod and Service of v1 can")
    name, namespace = await text(scope, operation.name), await placed(scope, operation.namespace)
    if not name or not namespace:
        raise OperationError(f"one {kind} in one namespace has to be named")
    port = await text(scope, operation.port)
    path, mark, asked = (await text(scope, operation.path)).partition("?")
    place = f"/api/v1/namespaces/{namespace}/{_PLURALS[api_version, kind]}/{name}{port and ':' + port}/proxy"
    whole = posixpath.normpath(f"{place}/{path}")
    # the API server answers the proxy's own path with a redirection to its root, which kubectl follows
    return (f"{whole}/" if whole == place else whole) + mark + asked
