// Anthropic's Node client against a running hub.
//
// Reads HUB_URL and HUB_KEY. The hub's models: `gpt` answers like the vendor it is
// of, which may speak Anthropic's dialect or OpenAI's; `busy` is throttled for 7
// seconds; `endless` streams until the caller leaves.
// Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { refusal, run } from "./checks.mjs";

const TEXT = "Hello there";
const ask = { model: "gpt", max_tokens: 100, messages: [{ role: "user", content: "hi" }] };
const tools = [
  {
    name: "get_weather",
    description: "The weather of a city",
    input_schema: { type: "object", properties: { city: { type: "string" } } },
  },
];

const baseURL = process.env.HUB_URL.replace(/\/v1$/, "");
const options = { baseURL, apiKey: process.env.HUB_KEY, maxRetries: 0, timeout: 30_000 };
const client = new Anthropic(options);

const checks = {
  async message() {
    const answer = await client.messages.create({ ...ask, system: "Be brief." });
    assert.equal(answer.content[0].text, TEXT);
    assert.equal(answer.stop_reason, "end_turn");
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [9, 3]);
    assert.ok(answer._request_id, "no request-id");
  },

  async stream_helper() {
    const stream = client.messages.stream(ask);
    let text = "";
    stream.on("text", (piece) => (text += piece));
    const final = await stream.finalMessage();
    assert.deepEqual([text, final.content[0].text, final.stop_reason], [TEXT, TEXT, "end_turn"]);
    assert.deepEqual([final.usage.input_tokens, final.usage.output_tokens], [9, 3]);
  },

  async tools_in_both_ways() {
    const whole = await client.messages.create({ ...ask, tools });
    const streamed = await client.messages.stream({ ...ask, tools }).finalMessage();
    for (const answer of [whole, streamed]) {
      assert.equal(answer.stop_reason, "tool_use");
      assert.deepEqual([answer.content[0].name, answer.content[0].input], ["get_weather", { city: "Bern" }]);
    }
  },

  async count_tokens() {
    const { input_tokens } = await client.messages.countTokens({ model: "gpt", messages: ask.messages });
    assert.ok(input_tokens > 0);
  },

  async a_wrong_key_is_401() {
    const stranger = new Anthropic({ ...options, apiKey: "aigne-nobody" });
    const error = await refusal(Anthropic.AuthenticationError, stranger.messages.create(ask));
    assert.equal(error.error.error.type, "authentication_error");
  },

  async an_unknown_model_is_404() {
    const error = await refusal(Anthropic.NotFoundError, client.messages.create({ ...ask, model: "nobody" }));
    assert.equal(error.error.error.type, "not_found_error");
  },

  async a_throttled_model_is_429_and_says_when_to_come_back() {
    const error = await refusal(Anthropic.RateLimitError, client.messages.create({ ...ask, model: "busy" }));
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(wait > 0 && wait <= 7, `${wait}`);
  },

  async leaving_a_stream_closes_it() {
    const stream = await client.messages.create({ ...ask, model: "endless", stream: true });
    for await (const event of stream) {
      if (event.type === "content_block_delta") break;
    }
    stream.controller.abort();
  },
};

await run(checks);
