"""The REST API under /api/v1: one module for each noun, thin views over actions and reports."""

from collections.abc import Sequence

from apiflask import APIBlueprint, APIFlask
from flask import Response, jsonify, request

from bot.api import auth, context, idempotency, openapi, problems
from bot.capability import Capability
from bot.db import database
from bot.kegui import Kegui
from bot.language import teach

PREFIX = "/api/v1"


def register(app: APIFlask, kegui: Kegui, capabilities: Sequence[Capability]) -> None:
    """Add the API and its description to the application."""
    context.bind(app, kegui)
    teach(app)
    problems.answer_for(app, "/api")
    api = APIBlueprint("api", __name__, url_prefix=PREFIX)
    api.before_request(open_connection)
    api.before_request(auth.check)
    api.before_request(idempotency.begin)
    api.before_request(refuse_null_body)
    api.after_request(idempotency.remember)
    problems.translate(api)
    for capability in capabilities:
        for endpoint in capability.endpoints:
            api.register_blueprint(endpoint)
    app.register_blueprint(api)
    app.register_blueprint(_description(app))
    # Of the application: an address that is not there, and a body too large, reach no blueprint.
    app.after_request(protect)


def register_unconfigured(app: APIFlask, names: Sequence[str]) -> None:
    """Where settings are missing every address of the API says which."""
    teach(app)
    problems.answer_for(app, "/api")
    api = APIBlueprint("api", __name__, url_prefix=PREFIX, enable_openapi=False)
    problems.translate(api)

    @api.route("", methods=openapi.METHODS, defaults={"_path": ""})
    @api.route("/", methods=openapi.METHODS, defaults={"_path": ""})
    @api.route("/<path:_path>", methods=openapi.METHODS)
    def not_configured(_path: str) -> Response:
        listed = "、".join(names), ", ".join(names)
        raise problems.Problem(
            503,
            "not-configured",
            f"客规尚未配置完成，缺少：{listed[0]}；请运维人员补齐后重新启动",
            f"Kegui is not configured: {listed[1]} missing; let IT set them and start it again",
            extra={"missing": list(names)},
        )

    app.register_blueprint(api)
    app.after_request(protect)


def protect(response: Response) -> Response:
    """No cache keeps what the API says of people, and nothing in it is taken for a page."""
    if request.path == PREFIX or request.path.startswith(f"{PREFIX}/"):
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response


def open_connection() -> None:
    """Hold a connection for the request; the application closes it in its teardown."""
    # PostgreSQL cannot even be asked for a text with a NUL in it.
    values = [value for _name, value in request.args.items(multi=True)]
    if any("\x00" in text for text in (request.path, *values)):
        raise problems.Problem(422, "nul", "地址中含有 NUL 字符", "there is a NUL in the address")
    database.connect(reuse_if_open=True)


def refuse_null_body() -> None:
    """A null is no empty object: only the latter leaves everything as it is."""
    if request.method != "GET" and request.get_data().strip() == b"null":
        raise problems.Problem(
            422,
            "invalid",
            "正文须为 JSON 对象",
            "the body must be a JSON object",
            extra={"errors": [problems.no_object()]},
        )


def _description(app: APIFlask) -> APIBlueprint:
    """The OpenAPI document; it says nothing about anybody, so that it needs no token."""
    described = APIBlueprint("api_description", __name__, url_prefix=PREFIX, enable_openapi=False)

    @described.get("/openapi.json")
    def openapi_json() -> Response:
        return jsonify(openapi.document(app))

    return described
