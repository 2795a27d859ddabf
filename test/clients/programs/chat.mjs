// Chat Completions with the openai package, run by Node and by Bun alike: each step prints one line of JSON for the test to read.
// The client is built from the environment alone, as `rotor connect shell` sets it.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const model = "gpt-5.5";
const hello = [{ role: "user", content: "say hello" }];
const answer = z.object({ answer: z.string() });

const steps = {
  async whole(client) {
    const completion = await client.chat.completions.create({ model, messages: hello, temperature: 0, max_tokens: 50 });
    const [choice] = completion.choices;
    return { text: choice.message.content, finish: choice.finish_reason, total: completion.usage.total_tokens };
  },

  async stream(client) {
    let text = "";
    let usage = null;
    let finish = null;
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    return { text, finish, total: usage.total_tokens };
  },

  // The SDK's own accumulator, which throws where chunks are out of order or unfinished.
  async accumulated(client) {
    const runner = client.chat.completions.stream({
      model,
      messages: [{ role: "user", content: 'say: let me see\ncall: f {"a":1}\ncall: g {"b":2}' }],
      tools: ["f", "g"].map((name) => ({ type: "function", function: { name, parameters: { type: "object", properties: {} } } })),
    });
    const [choice] = (await runner.finalChatCompletion()).choices;
    return { text: choice.message.content, finish: choice.finish_reason, calls: choice.message.tool_calls };
  },

  // The SDK calls the tool and asks again, until the model is done.
  async tools(client) {
    const told = [];
    const runner = client.chat.completions.runTools({
      model,
      stream: true,
      messages: [{ role: "user", content: "run: echo hi" }],
      tools: [
        zodFunction({
          name: "shell",
          parameters: z.object({ cmd: z.string() }),
          function: ({ cmd }) => {
            told.push(cmd);
            return "hi from the tool";
          },
        }),
      ],
    });
    return { told, text: await runner.finalContent() };
  },

  // A model that wants its tools inside the input: nobody who asks has to know.
  async lite(client) {
    const messages = [
      { role: "system", content: "be brief" },
      { role: "user", content: "run: echo hi" },
    ];
    const parameters = { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"] };
    const tools = [{ type: "function", function: { name: "shell", parameters } }];
    const ask = { model: "gpt-6-sol", messages, tools };
    const [asked] = (await client.chat.completions.create(ask)).choices;
    messages.push(asked.message, { role: "tool", tool_call_id: asked.message.tool_calls[0].id, content: "hi from the tool" });
    const [done] = (await client.chat.completions.create(ask)).choices;
    return { finish: asked.finish_reason, text: done.message.content };
  },

  async parsed(client) {
    const completion = await client.chat.completions.parse({
      model,
      messages: hello,
      response_format: zodResponseFormat(answer, "reply"),
    });
    return { keys: Object.keys(completion.choices[0].message.parsed) };
  },

  async refusal(client) {
    const completion = await client.chat.completions.create({ model, messages: [{ role: "user", content: "refuse: no way" }] });
    const { content, refusal } = completion.choices[0].message;
    return { content, refusal };
  },

  async image(client) {
    const url = "data:image/png;base64,iVBORw0KGgo=";
    const content = [
      { type: "text", text: "what is it?" },
      { type: "image_url", image_url: { url, detail: "low" } },
    ];
    const completion = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
    return { text: completion.choices[0].message.content };
  },

  async stopped(client) {
    const messages = [{ role: "user", content: "say: one two END three" }];
    let text = "";
    let finish = null;
    for await (const chunk of await client.chat.completions.create({ model, messages, stop: "END", stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    return { text, finish };
  },

  async two(client) {
    return failure(client.chat.completions.create({ model, messages: hello, n: 2 }));
  },

  async unknownModel(client) {
    return failure(client.chat.completions.create({ model: "no-such-model", messages: hello }));
  },

  // Without its own retries, so that the test sees one answer.
  async refused(client) {
    return failure(client.chat.completions.create({ model, messages: hello }, { maxRetries: 0 }));
  },

  // A stream that fails after its first chunk: is it an error, or a short answer?
  async broken(client) {
    let chunks = 0;
    const stream = await client.chat.completions.create({ model, messages: hello, stream: true }, { maxRetries: 0 });
    const read = async () => {
      for await (const _ of stream) chunks++;
    };
    return { ...(await failure(read())), chunks };
  },

  async aborted(client) {
    const stream = await client.chat.completions.create({ model, messages: hello, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    return { left: true };
  },
};

async function failure(promise) {
  try {
    await promise;
    return { failed: false };
  } catch (error) {
    const { status, code, type, param, message } = error;
    return { failed: true, name: error.constructor.name, status, code, type, param, message };
  }
}

const client = new OpenAI();
for (const name of process.argv.slice(2)) {
  console.log(JSON.stringify({ step: name, ...(await steps[name](client)) }));
}
