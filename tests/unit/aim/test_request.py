from __future__ import annotations

from typing import Any

import pytest

from proving_ground.aim import eai, silogen
from proving_ground.aim.catalogue import Catalogue, Entry
from proving_ground.aim.request import read, resolve, route_path

IMAGE = "reg/aim-openai-gpt-oss-20b:1"
CATALOGUE = Catalogue([Entry(image=IMAGE)])


def service(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "model", "namespace": "check", "uid": "u1", "labels": {"team/a": "1", "other": "2"}}
    return {"metadata": metadata, "spec": spec}


def test_a_service_without_a_spec_refers_to_nothing() -> None:
    request = read({"metadata": {"name": "model"}}, silogen.GROUP)
    assert (request.reference, request.by_image, request.replicas) == ("", False, 1)
    assert resolve(request, CATALOGUE) is None


def test_an_image_is_resolved_by_its_reference() -> None:
    request = read(service(model={"image": IMAGE}), silogen.GROUP)
    assert resolve(request, CATALOGUE) is CATALOGUE.by_image(IMAGE)


@pytest.mark.parametrize(("group", "field"), [(silogen.GROUP, "ref"), (eai.GROUP, "name")])
def test_a_model_is_resolved_by_its_name(group: str, field: str) -> None:
    request = read(service(model={field: "openai/gpt-oss-20b"}), group)
    assert not request.by_image
    assert resolve(request, CATALOGUE) is CATALOGUE.by_image(IMAGE)


def test_a_custom_model_runs_its_own_source_in_a_known_image() -> None:
    custom = {"baseImage": IMAGE, "modelSources": [{"modelId": "a/b"}], "hardware": {"gpu": {"requests": 2}}}
    entry = resolve(read(service(model={"custom": custom}), eai.GROUP), CATALOGUE)
    assert entry is not None
    assert (entry.model, entry.image) == ("a/b", IMAGE)


def test_the_token_may_be_a_value_or_a_secrets_key() -> None:
    plain = read(service(env=[{"name": "HF_TOKEN", "value": "hf_x"}]), silogen.GROUP)
    source = {"secretKeyRef": {"name": "hf", "key": "token"}}
    named = read(service(env=[{"name": "HF_TOKEN", "valueFrom": source}]), silogen.GROUP)
    assert (plain.token_source(), named.token_source()) == ("hf_x", ("hf", "token"))
    assert read(service(env=[{"name": "OTHER", "value": "x"}]), silogen.GROUP).token_source() is None


def test_all_secrets_that_a_service_refers_to_are_known() -> None:
    source = {"secretKeyRef": {"name": "hf", "key": "token"}}
    spec = {"env": [{"name": "A", "valueFrom": source}], "imagePullSecrets": [{"name": "pull"}, {"name": ""}]}
    assert read(service(**spec), silogen.GROUP).secret_names() == {"hf", "pull"}


def test_gpus_are_overridden_in_each_groups_own_words() -> None:
    old = read(service(overrides={"gpuSelector": {"model": "x", "resourceName": "a/gpu", "count": 2}}), silogen.GROUP)
    new = read(service(overrides={"hardware": {"gpu": {"resourceName": "a/gpu", "requests": 2}}}), eai.GROUP)
    assert old.gpu == new.gpu
    assert (old.gpu.resource, old.gpu.count) == ("a/gpu", 2)


def test_a_cache_is_asked_for_in_each_groups_own_words() -> None:
    assert read(service(cacheModel=True), silogen.GROUP).cache
    assert read(service(caching={"mode": "Shared"}), eai.GROUP).cache
    assert not read(service(caching={"mode": "Never"}), eai.GROUP).cache
    assert not read(service(), eai.GROUP).cache


def test_labels_are_passed_on_only_where_that_is_enabled() -> None:
    matching = {"enabled": True, "match": ["team/*"]}
    assert read(service(labelPropagation=matching), silogen.GROUP).labels == {"team/a": "1"}
    assert read(service(labelPropagation={"match": ["*"]}), silogen.GROUP).labels == {}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{.metadata.namespace}/{.metadata.name}/", "/check/model"),
        ("plain", "/plain"),
        ("/{.metadata.labels['team/a']}", "/1"),
        ('/{ .metadata["name"] }', "/model"),
    ],
)
def test_a_route_path_is_made_from_the_services_fields(template: str, path: str) -> None:
    assert route_path(template, service()) == path


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/{.metadata.name", "unbalanced"),
        ("/}", "unbalanced"),
        ("/{}", "expected a field"),
        ("/{metadata.name}", "expected a field"),
        ("/{.metadata.absent}", "names no plain field"),
        ("/{.metadata}", "names no plain field"),
        ("/" + "x" * 200, "201 characters"),
    ],
)
def test_a_route_path_that_cannot_be_made_is_refused(template: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        route_path(template, service())


def test_routing_that_is_not_enabled_is_not_looked_at() -> None:
    routing = read(service(routing={"enabled": False, "pathTemplate": "/{"}), silogen.GROUP).routing
    assert (routing.enabled, routing.path_error) == (False, "")


def test_a_path_template_that_is_broken_is_told() -> None:
    routing = read(service(routing={"enabled": True, "pathTemplate": "/{"}), silogen.GROUP).routing
    assert "pathTemplate" in routing.path_error
