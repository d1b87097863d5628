"""The OpenAPI document: APIFlask describes the views, here stands what holds for all of them."""

import re
from typing import Any

from apiflask import APIFlask
from pydantic import BaseModel, ConfigDict
from werkzeug.routing import Rule

from bot.api.auth import ADMIN
from bot.api.idempotency import HEADER
from bot.api.problems import MIMETYPE

BLUEPRINT = "api."
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_CACHE = "kegui_openapi"
_PROBLEMS = {
    400: "The request cannot be read",
    401: "No token, or an unknown one",
    403: "The token lacks a scope, or its owner may not do that to their own",
    404: "There is no such thing",
    409: "Its state does not allow that, or the same request is still running",
    422: "Something in the request is not possible",
    502: "WeCom did not do it",
    503: "Try later",
}


class ProblemDocument(BaseModel):
    """RFC 9457; ``errors`` lists what is wrong with which field."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


def document(app: APIFlask) -> dict[str, Any]:
    """Describe every path of the API; made once for each application."""
    if _CACHE not in app.extensions:
        app.extensions[_CACHE] = _make(app)
    made: dict[str, Any] = app.extensions[_CACHE]
    return made


def _make(app: APIFlask) -> dict[str, Any]:
    written: Any = app.spec
    rules = {
        (_path(rule), method): rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(BLUEPRINT)
        for method in METHODS
        if method in (rule.methods or ())
    }
    for (path, method), rule in rules.items():
        _complete(written["paths"][path][method.lower()], method, rule, app)
    components = written.setdefault("components", {})
    return {
        **written,
        "info": {"title": "Kegui", "version": "1"},
        "servers": [{"url": "/"}],
        "paths": {path: written["paths"][path] for path in sorted({path for path, _ in rules})},
        "components": {
            **components,
            "schemas": {
                **components.get("schemas", {}),
                "Problem": ProblemDocument.model_json_schema(),
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _complete(operation: dict[str, Any], method: str, rule: Rule, app: APIFlask) -> None:
    scopes = (*getattr(app.view_functions[rule.endpoint], "needed_scopes", ()), ADMIN)
    operation["operationId"] = rule.endpoint.removeprefix(BLUEPRINT).replace(".", "_")
    operation["security"] = [{"bearer": [scope]} for scope in dict.fromkeys(scopes)]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["required"] = True
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    if method == "POST":
        operation["parameters"].append(_key_parameter())
    for status in _statuses(method, rule):
        operation["responses"][str(status)] = {
            "description": _PROBLEMS[status],
            "content": {MIMETYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _key_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "The same key with the same body gives the stored answer, for seven days.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _statuses(method: str, rule: Rule) -> list[int]:
    statuses = [401, 403, 422, 503]
    if rule.arguments or method == "POST":
        statuses.append(404)
    if method != "GET":
        statuses += [400, 409, 502]
    return sorted(statuses)


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule)
