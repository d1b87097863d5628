"""Images that WeCom links to: fetched from its hosts alone, and never too much."""

import time

import pytest
import responses

from bot.wecom import images
from bot.wecom.images import Image, Images

API = "https://qyapi.weixin.qq.com"
LINK = "https://p.qpic.cn/wwhead/code/0"
PNG = b"\x89PNG"


def give(
    network: responses.RequestsMock, url: str, body: bytes = PNG, kind: str = "image/png"
) -> None:
    network.get(url, body=body, content_type=kind)


@pytest.mark.parametrize(
    "url",
    [
        "https://p.qpic.cn/wwhead/code/0",
        "https://wework.qpic.cn/wwpic/1/0",
        "https://qpic.cn/x",
        "https://wwcdn.weixin.qq.com/x.png",
        "https://qyapi.weixin.qq.com/x",
    ],
)
def test_an_image_of_wecoms_is_fetched_once(network: responses.RequestsMock, url: str) -> None:
    give(network, url)
    kept = Images(API)

    assert kept.get(url) == kept.get(url) == Image(PNG, "image/png")
    assert len(network.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://p.qpic.cn/wwhead/code/0",
        "https://evilqpic.cn/x",
        "https://p.qpic.cn.evil.com/x",
        "https://evil.com/p.qpic.cn",
        "https://p.qpic.cn@evil.com/x",
        "https://user:pass@p.qpic.cn/x",
        "https://p.qpic.cn:8443/x",
        "https://p.qpic.cn:x/",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "http://qyapi.weixin.qq.com/x",
        "file:///etc/passwd",
        "//p.qpic.cn/x",
        "https://[::1/x",
        "",
        # Hosts about which parsers differ.
        "https://evil.com\\.qpic.cn/",
        "https://evil.com\\@p.qpic.cn/",
        "https://evil.com#.qpic.cn/",
        "https://evil.com?.qpic.cn/",
        "https:/\\evil.com/.qpic.cn",
        "https://evil.com\t.qpic.cn/x",
    ],
)
def test_no_other_place_is_ever_asked(network: responses.RequestsMock, url: str) -> None:
    assert Images(API).get(url) is None
    assert len(network.calls) == 0


def test_the_host_of_the_api_may_serve_images_as_the_sandbox_does(
    network: responses.RequestsMock,
) -> None:
    give(network, "http://127.0.0.1:8900/qr/1")
    kept = Images("http://127.0.0.1:8900/")

    assert kept.get("http://127.0.0.1:8900/qr/1") is not None
    assert kept.get("http://127.0.0.1:8901/qr/1") is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "text/html"),
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        (PNG, ""),
        (b"x" * (images.MOST_BYTES + 1), "image/png"),
    ],
)
def test_only_an_image_of_a_fitting_size_is_taken(
    network: responses.RequestsMock, body: bytes, kind: str
) -> None:
    give(network, LINK, body, kind)

    assert Images(API).get(LINK) is None


def test_a_redirect_leads_nowhere(network: responses.RequestsMock) -> None:
    network.get(LINK, status=302, headers={"Location": "http://127.0.0.1/"})

    assert Images(API).get(LINK) is None
    assert len(network.calls) == 1


def test_what_comes_too_slowly_is_given_up(
    network: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(network, LINK)
    monkeypatch.setattr(images, "WHOLE_SECONDS", -1.0)

    assert Images(API).get(LINK) is None


def test_a_failure_is_not_tried_again_at_once(
    network: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.get(LINK, status=500)
    kept = Images(API)

    assert kept.get(LINK) is kept.get(LINK) is None
    assert len(network.calls) == 1

    network.replace("GET", LINK, body=PNG, content_type="image/png")
    later = time.monotonic() + images.FAILURE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert kept.get(LINK) is not None


def test_few_images_are_kept(network: responses.RequestsMock) -> None:
    links = [f"https://p.qpic.cn/{number}" for number in range(images.KEPT + 1)]
    for link in links:
        give(network, link)
    kept = Images(API)
    for link in links:
        kept.get(link)

    kept.get(links[-1])
    assert len(network.calls) == len(links)
    kept.get(links[0])
    assert len(network.calls) == len(links) + 1
