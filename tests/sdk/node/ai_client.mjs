// Vercel's AI SDK against a running hub: three of its providers before vendors of three dialects.
//
// Reads HUB_URL (with /v1) and HUB_KEY. The hub's models `on-openai`, `on-anthropic` and
// `on-gemini` say `Hello there`, call `get_weather` where there are tools, and answer a prompt
// with "as an object" by one. `embed-openai` and `embed-gemini` embed; `busy` is throttled;
// `broken` breaks off amid its answer. Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from "ai";
import { z } from "zod";

const TEXT = "Hello there";
const options = { baseURL: process.env.HUB_URL, apiKey: process.env.HUB_KEY };
const openai = createOpenAI(options);
const compatible = createOpenAICompatible({ name: "hub", includeUsage: true, supportsStructuredOutputs: true, ...options });
const anthropic = createAnthropic(options);
// The anthropic client knows no embeddings.
const clients = {
  openai: (model) => openai.chat(model),
  compatible: (model) => compatible.chatModel(model),
  anthropic: (model) => anthropic(model),
};
const models = ["on-openai", "on-anthropic", "on-gemini"];
const maxRetries = 0;
const schema = z.object({ city: z.string() });

function weather(asked) {
  const execute = async ({ city }) => {
    asked.push(city);
    return { sky: "wet" };
  };
  return { get_weather: tool({ description: "The weather of a city", inputSchema: schema, execute }) };
}

async function collect(parts) {
  const all = [];
  for await (const part of parts) all.push(part);
  return all;
}

const chats = {
  async text(model) {
    const answer = await generateText({ model, prompt: "hi", system: "Be brief.", maxRetries });
    assert.equal(answer.text, TEXT);
    assert.equal(answer.finishReason, "stop");
    assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [9, 3]);
  },

  async stream(model) {
    const answer = streamText({ model, prompt: "hi", maxRetries });
    assert.equal((await collect(answer.textStream)).join(""), TEXT);
    assert.equal(await answer.finishReason, "stop");
    assert.equal((await answer.usage).outputTokens, 3);
  },

  async tools_in_a_loop(model) {
    const asked = [];
    const loop = { model, prompt: "hi", tools: weather(asked), stopWhen: stepCountIs(3), maxRetries };
    const answer = await generateText(loop);
    assert.equal(answer.text, TEXT);
    assert.equal(answer.steps.length, 2);
    assert.equal(answer.steps[0].finishReason, "tool-calls");
    assert.deepEqual(asked, ["Bern"]);
  },

  async streamed_tools_in_a_loop(model) {
    const asked = [];
    const answer = streamText({ model, prompt: "hi", tools: weather(asked), stopWhen: stepCountIs(3), maxRetries });
    const parts = await collect(answer.fullStream);
    assert.deepEqual(parts.filter((part) => part.type === "error"), []);
    assert.deepEqual(parts.filter((part) => part.type === "tool-call").map((part) => part.input), [{ city: "Bern" }]);
    assert.equal(await answer.text, TEXT);
    assert.deepEqual(asked, ["Bern"]);
  },

  async object(model) {
    const answer = await generateObject({ model, schema, prompt: "as an object", maxRetries });
    assert.deepEqual(answer.object, { city: "Bern" });
  },

  async streamed_object(model) {
    const answer = streamObject({ model, schema, prompt: "as an object", maxRetries });
    await collect(answer.partialObjectStream);
    assert.deepEqual(await answer.object, { city: "Bern" });
  },

  async picture(model) {
    const image = Buffer.from("iVBORw0KGgo=", "base64");
    const content = [{ type: "text", text: "what?" }, { type: "image", image, mediaType: "image/png" }];
    const answer = await generateText({ model, messages: [{ role: "user", content }], maxRetries });
    assert.equal(answer.text, TEXT);
  },
};

async function refused(promise, status) {
  const error = await promise.then(() => assert.fail("no error"), (error) => error);
  assert.ok(APICallError.isInstance(error), `${error.constructor.name}: ${error.message}`);
  assert.equal(error.statusCode, status);
  return error;
}

const failures = {
  async throttled(of) {
    const error = await refused(generateText({ model: of("busy"), prompt: "hi", maxRetries }), 429);
    assert.ok(error.isRetryable);
    assert.equal(error.responseHeaders["retry-after"], "7");
  },

  async unknown_model(of) {
    const error = await refused(generateText({ model: of("nobody"), prompt: "hi", maxRetries }), 404);
    assert.match(error.message, /nobody/);
  },

  async broken_off(of) {
    const answer = streamText({ model: of("broken"), prompt: "hi", maxRetries, onError() {} });
    const parts = await collect(answer.fullStream);
    assert.ok(parts.some((part) => part.type === "text-delta"), "no text before the break");
    assert.ok(parts.some((part) => part.type === "error"), JSON.stringify(parts));
    assert.ok(!parts.some((part) => part.type === "finish" && part.finishReason === "stop"));
  },
};

const embeddings = {
  async one(model) {
    const answer = await embed({ model, value: "a", maxRetries });
    assert.deepEqual(answer.embedding, [0.25, -0.5, 1]);
  },

  async many(model) {
    const answer = await embedMany({ model, values: ["a", "b"], maxRetries });
    assert.deepEqual(answer.embeddings, Array(2).fill([0.25, -0.5, 1]));
  },
};

const checks = [];
for (const [client, of] of Object.entries(clients)) {
  for (const model of models) {
    for (const [name, run] of Object.entries(chats)) checks.push([`${client} ${model} ${name}`, () => run(of(model))]);
  }
  for (const [name, run] of Object.entries(failures)) checks.push([`${client} ${name}`, () => run(of)]);
}
for (const model of ["embed-openai", "embed-gemini"]) {
  for (const [name, run] of Object.entries(embeddings)) {
    checks.push([`openai ${model} ${name}`, () => run(openai.embedding(model))]);
    checks.push([`compatible ${model} ${name}`, () => run(compatible.textEmbeddingModel(model))]);
  }
}

let failed = 0;
for (const [name, run] of checks) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack}\n${error.responseBody ?? ""}`);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
