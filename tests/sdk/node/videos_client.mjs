// OpenAI's Node client, videos, against a running hub whose model `film` makes them.
//
// Reads HUB_URL (with /v1) and HUB_KEY. Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
import { refusal, run } from "./checks.mjs";

const MP4 = "\0\0\0\x18ftypmp42-a-video";
const client = new OpenAI({ baseURL: process.env.HUB_URL, apiKey: process.env.HUB_KEY, maxRetries: 0, timeout: 30_000 });

async function done(id) {
  for (;;) {
    const video = await client.videos.retrieve(id);
    assert.equal(video.id, id);
    if (video.status === "completed" || video.status === "failed") return video;
  }
}

const checks = {
  async an_order_is_made_and_loaded() {
    const video = await client.videos.create({ model: "film", prompt: "a cat", seconds: "4", size: "720x1280" });
    assert.ok(video.id.startsWith("video_"), video.id);
    assert.equal((await done(video.id)).status, "completed");
    const content = await client.videos.downloadContent(video.id);
    assert.equal(content.headers.get("content-type"), "video/mp4");
    assert.equal(await content.text(), MP4);
  },

  async a_picture_to_begin_with() {
    const picture = await toFile(Buffer.from("iVBORw0KGgo=", "base64"), "a.png", { type: "image/png" });
    const video = await client.videos.create({ model: "film", prompt: "a cat", input_reference: picture });
    assert.equal((await done(video.id)).status, "completed");
  },

  async a_remix() {
    const source = await client.videos.create({ model: "film", prompt: "a cat" });
    await done(source.id);
    const remix = await client.videos.remix(source.id, { prompt: "a dog" });
    assert.equal((await done(remix.id)).status, "completed");
  },

  async a_deletion() {
    const video = await client.videos.create({ model: "film", prompt: "a cat" });
    await done(video.id);
    assert.equal((await client.videos.delete(video.id)).deleted, true);
    await refusal(OpenAI.NotFoundError, client.videos.retrieve(video.id));
  },
};

await run(checks);
