// What a program on OpenAI's and on Vercel's JavaScript clients sees of a running gateway, whoever answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const url = `${process.env.EDGEHOLD_URL}/v1`;
const models = ["local", "second", "claude", "gemini"].map((provider) => `${provider}/smollm2:135m`);
const question = "What is the capital of France?";
const messages = [{ role: "user", content: question }];
const client = new OpenAI({ baseURL: url, apiKey: "unused", maxRetries: 0 });
const vercel = createOpenAICompatible({ name: "edgehold", baseURL: url, includeUsage: true, supportsStructuredOutputs: true });

// A client that has to warn has met what it did not expect.
process.on("warning", (warning) => assert.fail(String(warning)));
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => assert.fail(JSON.stringify(warnings));

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get the weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

for (const model of models) {
  test(`openai: a chat, ${model}`, async () => {
    const answer = await client.chat.completions.create({ model, messages });
    assert.match(answer.choices[0].message.content, /Paris/);
    assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
  });

  test(`openai: the stream helper, ${model}`, async () => {
    const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
    let text = "";
    stream.on("content", (piece) => (text += piece));
    const final = await stream.finalChatCompletion();
    assert.equal(text, final.choices[0].message.content);
    assert.match(text, /Paris/);
    assert.ok((await stream.totalUsage()).completion_tokens > 0);
  });

  test(`openai: the tools helper, ${model}`, async () => {
    const runner = client.chat.completions.runTools({
      model,
      messages: [{ role: "user", content: "Use the function for Oslo." }],
      tools: [{ ...weather, function: { ...weather.function, parse: JSON.parse, function: ({ city }) => `7 degrees in ${city}` } }],
    });
    assert.match(await runner.finalContent(), /7 degrees in Oslo/);
  });

  test(`openai: a response as a stream, ${model}`, async () => {
    const stream = client.responses.stream({ model, input: question });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await stream.finalResponse();
    assert.equal(text, final.output_text);
    assert.match(text, /Paris/);
  });

  test(`vercel: a text, ${model}`, async () => {
    const answer = await generateText({ model: vercel(model), prompt: question });
    assert.match(answer.text, /Paris/);
    assert.equal(answer.finishReason, "stop");
    assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
  });

  test(`vercel: a stream, ${model}`, async () => {
    const answer = streamText({ model: vercel(model), prompt: question, onError: ({ error }) => assert.fail(error) });
    let pieces = 0;
    let text = "";
    for await (const piece of answer.textStream) {
      pieces += 1;
      text += piece;
    }
    assert.ok(pieces > 1);
    assert.match(text, /Paris/);
    assert.ok((await answer.usage).outputTokens > 0);
  });

  test(`vercel: tools in steps, ${model}`, async () => {
    const answer = await generateText({
      model: vercel(model),
      prompt: "Use the function for Oslo.",
      stopWhen: stepCountIs(3),
      tools: {
        get_weather: tool({
          description: "Get the weather of a city",
          inputSchema: z.object({ city: z.string() }),
          execute: async ({ city }) => `7 degrees in ${city}`,
        }),
      },
    });
    assert.match(answer.text, /7 degrees in Oslo/);
    assert.equal(answer.steps.length, 2);
  });

  test(`vercel: an object by a schema, ${model}`, async () => {
    const schema = z.object({ name: z.string(), age: z.number().int() });
    const { object } = await generateObject({ model: vercel(model), schema, prompt: "Ann is 7." });
    assert.equal(typeof object.name, "string");
    assert.ok(Number.isInteger(object.age));
  });
}

for (const model of models.filter((name) => !name.startsWith("claude/"))) {
  test(`embeddings, ${model}`, async () => {
    const answer = await client.embeddings.create({ model, input: ["a cat", "a dog"] });
    assert.equal(answer.data.length, 2);
    assert.equal(answer.data[0].embedding.length, 576);
    const { embeddings } = await embedMany({ model: vercel.textEmbeddingModel(model), values: ["a cat", "a dog"] });
    assert.equal(embeddings.length, 2);
  });
}

test("an error keeps its type", async () => {
  await assert.rejects(client.chat.completions.create({ model: "nowhere/none", messages }), OpenAI.NotFoundError);
});
