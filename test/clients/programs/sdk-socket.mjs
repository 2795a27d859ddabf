// What a program does with `ResponsesWS` of the openai package (which needs `ws`), run by Node and by Bun alike: each step opens a WebSocket of
// its own and prints one line of JSON for the test to read. An account that answered is exhausted at the simulator, which SIM names.
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const MODEL = { model: "gpt-5.5" };
const TOOLS = [
  {
    type: "function",
    name: "shell",
    parameters: { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"], additionalProperties: false },
    strict: true,
  },
];
const LAST = /^response\.(completed|failed|incomplete)$/;

const steps = {
  // One history, told once: each turn sends what is new alone.
  async turns(ask) {
    const told = [];
    let previous;
    for (const input of ["one", "two", "three"]) {
      const turn = await ask({ input, ...(previous && { previous_response_id: previous }) });
      previous = turn.id;
      told.push(turn);
    }
    return { turns: told };
  },

  async tool(ask) {
    const asked = await ask({ input: [{ role: "user", content: "run: echo hi" }], tools: TOOLS });
    const call = asked.output.find(({ type }) => type === "function_call");
    const output = { type: "function_call_output", call_id: call.call_id, output: "hi from the tool" };
    const done = await ask({ input: [output], tools: TOOLS, previous_response_id: asked.id });
    return { name: call.name, arguments: call.arguments, text: done.text };
  },

  // Whatever is refused, the next turn goes over the same socket.
  async refusals(ask) {
    const noModel = await ask({ model: "no-such-model", input: "hello" });
    const noHistory = await ask({ input: "hello", previous_response_id: "resp_of_another_day" });
    const noBackground = await ask({ input: "hello", background: true });
    return { noModel, noHistory, noBackground, after: await ask({ input: "hello" }) };
  },

  // Runs out between two turns.
  async between(ask) {
    const first = await ask({ input: "one" });
    await exhaust(first.account);
    return { turns: [first, await ask({ input: "two", previous_response_id: first.id })] };
  },

  // As the daemon's pool stands: the test said beforehand who fails, and how.
  async turn(ask) {
    return ask({ input: "something long enough to be broken in its middle" });
  },

  // The SDK's other way to read, and an end in order.
  async iterated(ask, socket) {
    await ask({ input: "one" });
    const types = [];
    socket.send({ type: "response.create", ...MODEL, input: "two" });
    for await (const event of socket) {
      if (event.type !== "message") continue;
      types.push(event.message.type);
      if (LAST.test(event.message.type)) break;
    }
    return { first: types[0], last: types.at(-1) };
  },
};

async function exhaust(alias) {
  const answer = await fetch(`${process.env.SIM}/__sim/v1/accounts/${alias}`, {
    method: "PATCH",
    headers: { "x-rotor-sim": "1" },
    body: JSON.stringify({ usedPercent: { primary: 100 } }),
  });
  if (!answer.ok) throw new Error(`simulator: ${answer.status}`);
}

/** What a program has of one turn: its answer, an `error` event as the SDK hands it on, or a close without either. */
function turnOn(socket) {
  return (request) =>
    new Promise((resolve) => {
      let text = "";
      const types = [];
      const settle = (result) => {
        for (const [name, listener] of Object.entries(listeners)) socket.off(name, listener);
        resolve(result);
      };
      const listeners = {
        event(event) {
          types.push(event.type);
          if (event.type === "response.output_text.delta") text += event.delta;
          if (!LAST.test(event.type)) return;
          const { id, status, output, error, usage } = event.response;
          const account = /^SIM (\w+) says/.exec(text)?.[1] ?? null;
          settle({ id, status, output, error, text, account, first: types[0], total: usage?.total_tokens });
        },
        error({ message, error, constructor }) {
          settle({ name: constructor.name, message, status: error?.status ?? null, error: error?.error ?? null, text });
        },
        close(code, reason) {
          settle({ closed: code, reason, text });
        },
      };
      for (const [name, listener] of Object.entries(listeners)) socket.on(name, listener);
      if (request !== null) socket.send({ type: "response.create", ...MODEL, ...request });
    });
}

for (const name of process.argv.slice(2)) {
  const isStranger = name === "stranger";
  const client = new OpenAI(isStranger ? { apiKey: "rtr_0000000000_wrong" } : {});
  const socket = new ResponsesWS(client);
  const ask = turnOn(socket);
  const told = isStranger ? await ask(null) : await steps[name](ask, socket);
  socket.on("error", () => {});
  console.log(JSON.stringify({ step: name, ...told }));
  socket.close();
}
