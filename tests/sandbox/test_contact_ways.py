"""The images of contact ways."""

from urllib.parse import urlsplit

from tests.sandbox.stage import Stage

WAY = {"type": 1, "scene": 2, "user": ["zhangsan"]}


def test_a_code_links_to_an_image_as_long_as_its_way_is_there(stage: Stage) -> None:
    made = stage.post("externalcontact/add_contact_way", **WAY)
    path = urlsplit(made["qr_code"]).path

    image = stage.client.get(path)
    assert (image.status_code, image.mimetype) == (200, "image/png")
    assert image.data.startswith(b"\x89PNG")

    stage.post("externalcontact/del_contact_way", config_id=made["config_id"])
    assert stage.client.get(path).status_code == 404


def test_a_way_inside_a_mini_program_has_no_code(stage: Stage) -> None:
    assert "qr_code" not in stage.post("externalcontact/add_contact_way", **WAY | {"scene": 1})


def test_without_a_beginning_ways_of_the_last_ninety_days_are_listed(stage: Stage) -> None:
    ways = {
        days: stage.control("contact_ways", days_ago=days, listed=True)["config_id"]
        for days in (1, 89, 91, 4_000)
    }
    stage.control("contact_ways", days_ago=1)

    def listed(**window: int) -> set[str]:
        answer = stage.post("externalcontact/list_contact_way", **window)
        return {row["config_id"] for row in answer["contact_way"]}

    assert listed() == {ways[1], ways[89]}
    # None that was made before 2021-07-10 is listed.
    assert listed(start_time=1) == {ways[1], ways[89], ways[91]}
