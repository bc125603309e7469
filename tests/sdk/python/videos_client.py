"""OpenAI's Python client, videos, over any vendor that makes them.

Reads HUB_URL (with /v1), HUB_KEY and HUB_WANTS: `remix` where the vendor makes videos
from others, `delete` where it forgets them. The hub's model is `film`. Prints one line
per check and `N passed, M failed`.
"""

import os

import openai
from checks import check, raises, run

MP4 = b"\0\0\0\x18ftypmp42-a-video"
PNG = b"\x89PNG\r\n\x1a\n"
WANTS = os.environ["HUB_WANTS"].split(",")
client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=os.environ["HUB_KEY"], max_retries=0, timeout=30)


@check
def an_order_is_polled_and_loaded():
    video = client.videos.create_and_poll(
        model="film", prompt="a cat", seconds="8", size="1280x720", poll_interval_ms=5
    )
    assert (video.status, video.object, video.progress) == ("completed", "video", 100), video
    assert video.error is None and int(video.seconds) > 0, video
    again = client.videos.retrieve(video.id)
    assert again.id == video.id and again.status == "completed", again
    if "remix" in WANTS:
        assert client.videos.download_content(video.id).read() == MP4


@check
def a_picture_to_begin_with():
    video = client.videos.create(model="film", prompt="a cat", input_reference=("a.png", PNG, "image/png"))
    assert video.status in ("queued", "in_progress"), video
    assert video.id.startswith("video_"), video


@check
def an_unknown_video():
    error = raises(openai.NotFoundError, lambda: client.videos.retrieve("video_unknown"))
    assert error.code == "video_not_found", error


@check
def a_model_that_makes_none():
    error = raises(openai.BadRequestError, lambda: client.videos.create(model="talk", prompt="a cat"))
    assert "videos" in error.message, error


def remixes():
    source = client.videos.create_and_poll(model="film", prompt="a cat", poll_interval_ms=5)
    remix = client.videos.remix(source.id, prompt="a dog")
    assert remix.id != source.id, remix
    assert client.videos.poll(remix.id, poll_interval_ms=5).status == "completed"


def deletes():
    video = client.videos.create_and_poll(model="film", prompt="a cat", poll_interval_ms=5)
    gone = client.videos.delete(video.id)
    assert gone.deleted and gone.id == video.id, gone
    raises(openai.NotFoundError, lambda: client.videos.retrieve(video.id))


if "remix" in WANTS:
    check(remixes)
if "delete" in WANTS:
    check(deletes)
run()
