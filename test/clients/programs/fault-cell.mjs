// One turn of a program with the `openai` package, told as one line of JSON: `stream` reads events, `whole` waits for the object.
import OpenAI from "openai";

const [way] = process.argv.slice(2);
const client = new OpenAI();
const ask = { model: "gpt-5.5", input: "say something long enough to be broken in its middle" };
const tell = (told) => console.log(JSON.stringify(told));

async function stream() {
  let last = null;
  let text = "";
  for await (const event of await client.responses.create({ ...ask, stream: true })) {
    if (event.type === "response.output_text.delta") text += event.delta;
    if (/^response\.(completed|failed|incomplete)$/.test(event.type)) last = event;
  }
  return { last: last?.type ?? null, code: last?.response?.error?.code ?? null, text };
}

async function whole() {
  const response = await client.responses.create(ask);
  return { last: `response.${response.status}`, code: null, text: response.output_text };
}

try {
  tell(await { stream, whole }[way]());
} catch (error) {
  tell({ last: "thrown", name: error.constructor.name, status: error.status ?? null, code: error.code ?? null });
}
