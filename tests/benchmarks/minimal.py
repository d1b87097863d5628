"""The door that one would write first: Flask and wechatpy's decryption, and nothing is stored.

gunicorn runs it in two processes: `python -m gunicorn --workers 2 --threads 16 ...`.
"""

from xml.etree.ElementTree import fromstring

from flask import Flask, Response, request
from wechatpy.work.crypto import WeChatCrypto

from config import settings


def create_app() -> Flask:
    """Make the application: one path, that of the door for customer events."""
    loaded = settings.load()
    keys = loaded.callback_keys("customer")
    assert keys is not None
    crypto = WeChatCrypto(*keys, loaded.corp_id)
    app = Flask(__name__)

    @app.post("/wecom/callback")
    def receive() -> Response:
        signature, timestamp, nonce = (
            request.args[name] for name in ("msg_signature", "timestamp", "nonce")
        )
        text = crypto.decrypt_message(request.get_data(), signature, timestamp, nonce)
        fromstring(text)  # noqa: S314 - the benchmark's own text
        return Response(status=200)

    @app.get("/readyz")
    def readyz() -> Response:
        return Response(status=200)

    return app
