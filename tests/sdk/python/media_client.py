"""OpenAI's Python client, embeddings and pictures, over a vendor with words of its own.

Reads HUB_URL (with /v1), HUB_KEY, and HUB_WANTS: which of `embed`, `draw`, `edit` the
hub's models `embed` and `pic` can do. Prints one line per check and `N passed, M failed`.
"""

import io
import os

import openai
from checks import run

PNG = "iVBORw0KGgo="
WANTS = os.environ["HUB_WANTS"].split(",")
client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=os.environ["HUB_KEY"], max_retries=0, timeout=30)
checks = []


def check(wanted):
    def register(function):
        if wanted in WANTS:
            checks.append(function)
        return function

    return register


@check("embed")
def embeddings_as_the_client_asks_for_them():
    answer = client.embeddings.create(model="embed", input=["a", "b"])
    assert [row.index for row in answer.data] == [0, 1], answer
    assert all(row.embedding[:2] == [0.25, -0.5] for row in answer.data), answer
    assert answer.usage.prompt_tokens == 9, answer


@check("embed")
def embeddings_as_numbers():
    answer = client.embeddings.create(model="embed", input="a", encoding_format="float", dimensions=2)
    assert answer.data[0].embedding[:2] == [0.25, -0.5], answer


@check("embed")
def token_numbers_are_refused():
    try:
        client.embeddings.create(model="embed", input=[[1, 2, 3]])
    except openai.BadRequestError as error:
        assert error.param == "input", error
        return
    raise AssertionError("no refusal")


@check("draw")
def pictures():
    answer = client.images.generate(model="pic", prompt="a lake", n=2, size="1024x1024", response_format="b64_json")
    assert [picture.b64_json for picture in answer.data] == [PNG] * 2, answer
    assert answer.created > 0, answer


@check("edit")
def an_edit():
    picture = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    picture.name = "lake.png"
    answer = client.images.edit(model="pic", image=[picture, picture], prompt="add a boat", response_format="b64_json")
    assert answer.data[0].b64_json == PNG, answer


@check("edit")
def a_mask_is_refused():
    picture = ("lake.png", b"\x89PNG\r\n\x1a\n", "image/png")
    try:
        client.images.edit(model="pic", image=picture, mask=picture, prompt="add a boat")
    except openai.BadRequestError as error:
        assert error.param == "mask", error
        return
    raise AssertionError("no refusal")


run(checks)
