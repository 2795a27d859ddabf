// What a program does with the AI SDK, run by Node and by Bun alike: each step prints one line of JSON for the test to read. The first
// argument is the model's way in: `chat` and `responses` of @ai-sdk/openai, `compatible` of @ai-sdk/openai-compatible.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

// It warns of settings that reasoning models ignore, on stderr.
globalThis.AI_SDK_LOG_WARNINGS = false;

const [way, ...names] = process.argv.slice(2);
const apiKey = process.env.OPENAI_API_KEY;
const baseURL = process.env.OPENAI_BASE_URL;
const WAYS = {
  chat: () => createOpenAI({ apiKey, baseURL }).chat("gpt-5.5"),
  responses: () => createOpenAI({ apiKey, baseURL }).responses("gpt-5.5"),
  compatible: () =>
    createOpenAICompatible({ name: "rotor", apiKey, baseURL, includeUsage: true, supportsStructuredOutputs: true })("gpt-5.5"),
};
const model = WAYS[way]();

const shell = (told) => ({
  shell: tool({
    description: "runs a command",
    inputSchema: z.object({ cmd: z.string() }),
    execute: async ({ cmd }) => {
      told.push(cmd);
      return "hi from the tool";
    },
  }),
});

const steps = {
  async whole() {
    const { text, finishReason, usage } = await generateText({ model, system: "be brief", prompt: "say hello" });
    return { text, finishReason, total: usage.totalTokens };
  },

  async stream() {
    const result = streamText({ model, prompt: "say hello" });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    return { text, finishReason: await result.finishReason, total: (await result.usage).totalTokens };
  },

  async tools() {
    const told = [];
    const { text, steps: taken } = await generateText({ model, prompt: "run: echo hi", tools: shell(told), stopWhen: stepCountIs(3) });
    return { told, text, steps: taken.length };
  },

  async toolStream() {
    const told = [];
    const result = streamText({ model, prompt: "run: echo hi", tools: shell(told), stopWhen: stepCountIs(3) });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    return { told, text };
  },

  async object() {
    const { output } = await generateText({ model, prompt: "say hello", output: Output.object({ schema: z.object({ answer: z.string() }) }) });
    return { keys: Object.keys(output) };
  },

  async reasoning() {
    const providerOptions = { openai: { reasoningEffort: "low", reasoningSummary: "auto" }, rotor: { reasoningEffort: "low" } };
    const { text, reasoningText } = await generateText({ model, prompt: "say hello", providerOptions });
    return { text, reasoning: reasoningText ?? null };
  },

  async refused() {
    return failure(generateText({ model, prompt: "say hello", maxRetries: 0 }));
  },

  // A stream that fails after its first chunk: the SDK must tell, not end as if all were well.
  async broken() {
    const errors = [];
    const result = streamText({ model, prompt: "say hello", maxRetries: 0, onError: ({ error }) => void errors.push(error) });
    let text = "";
    for await (const part of result.fullStream) if (part.type === "text-delta") text += part.text;
    return { text, errors: errors.length };
  },
};

async function failure(promise) {
  try {
    await promise;
    return { failed: false };
  } catch (error) {
    return { failed: true, name: error.name, status: error.statusCode, message: error.message, retryable: error.isRetryable };
  }
}

for (const name of names) {
  console.log(JSON.stringify({ step: name, ...(await steps[name]()) }));
}
