"""The description says what there is, and how one is let in."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    body: dict[str, Any] = response.get_json()
    return body


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_of_the_api_is_described(app: APIFlask, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and not rule.rule.endswith("openapi.json")
        for method in METHODS & set(rule.methods or ())
    }

    assert {(path, method) for path, method, _ in operations(document)} == routes
    assert len(routes) > 30


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"(#/[^"]+)"', json.dumps(document)))

    for reference in references:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_every_operation_names_its_scopes_and_its_problems(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        scopes = {scope for one in operation["security"] for scope in one["bearer"]}
        assert "admin" in scopes, (path, method)
        assert len(scopes) > 1, (path, method)
        for status in ("401", "403", "422"):
            assert "application/problem+json" in operation["responses"][status]["content"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_answer_and_every_body_has_a_schema(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        success = [status for status in operation["responses"] if status.startswith("2")]
        assert success, (path, method)
        for status in success:
            if status != "204":
                content = operation["responses"][status]["content"]
                if "application/octet-stream" in content:
                    continue
                assert content["application/json"]["schema"]["$ref"], (path, method)
        if method in ("put", "patch"):
            assert operation["requestBody"]["content"]["application/json"]["schema"]


def test_operation_ids_and_path_parameters_are_as_the_standard_wants(
    document: dict[str, Any],
) -> None:
    identifiers = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(identifiers) == len(set(identifiers))
    for path, _, operation in operations(document):
        named = {one["name"]: one for one in operation["parameters"] if one["in"] == "path"}
        assert set(named) == set(re.findall(r"{(\w+)}", path))
        assert all(one["required"] for one in named.values())
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def without_a_maximum(schema: Any, document: dict[str, Any], place: str) -> Iterator[str]:
    """The texts and lists in what a request may hold that have no largest size."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from without_a_maximum(document["components"]["schemas"][name], document, place)
    closed = {"enum", "const"} & set(schema) or schema.get("format") == "date"
    if schema.get("type") == "string" and not closed and "maxLength" not in schema:
        yield place
    if schema.get("type") == "array":
        if "maxItems" not in schema:
            yield place
        yield from without_a_maximum(schema["items"], document, f"{place}[]")
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield f"{place}: any other field"
    for name, inner in schema.get("properties", {}).items():
        yield from without_a_maximum(inner, document, f"{place}.{name}")
    for joined in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(joined, ()):
            yield from without_a_maximum(inner, document, place)


def test_every_text_and_every_list_of_a_request_has_a_maximum(document: dict[str, Any]) -> None:
    checked = 0
    for path, method, operation in operations(document):
        asked = [one["schema"] for one in operation["parameters"] if one["in"] != "path"]
        body = operation.get("requestBody", {}).get("content", {})
        asked += [content["schema"] for content in body.values()]
        for schema in asked:
            checked += 1
            assert list(without_a_maximum(schema, document, f"{method} {path}")) == []
    assert checked > 40
