/**
 * Clients of the WebSocket suite, as Codex is one: each keeps a socket, sends a turn, waits for its end, and names that response in the next one
 * with nothing but what is new. With `http` the same turns, whole, over HTTP. Prints one line of JSON.
 *
 *   bun socket-load.ts URL KEY socket|http CLIENTS SECONDS
 */
const [url = "", key = "", over = "socket", clients = "1", seconds = "1"] = process.argv.slice(2);
const untilMs = performance.now() + Number(seconds) * 1_000;
const firstMs: number[] = [];
let turns = 0;
let events = 0;
let failures = 0;

/** A conversation begins anew after so many turns. */
const TURNS_KEPT = 20;
const item = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const HISTORY = Array.from({ length: 4 }, (_, i) => item(`What was said before, ${i}. `.repeat(20)));
const HEADERS = {
  authorization: `Bearer ${key}`,
  originator: "codex_cli_rs",
  "openai-beta": "responses_websockets=2026-02-06",
};

function request(previous: string | null): Record<string, unknown> {
  const plain = { model: "gpt-5-codex", instructions: "You are Codex.", store: false, stream: true };
  return previous === null
    ? { ...plain, input: [...HISTORY, item("And now?")] }
    : { ...plain, previous_response_id: previous, input: [item("And now?")] };
}

function client(number: number): Promise<void> {
  return new Promise((resolve) => {
    const options = { headers: { ...HEADERS, "session-id": `bench-${number}-${process.pid}` } };
    const socket = new WebSocket(url.replace("http", "ws"), options as unknown as string[]);
    let [sentMs, isFirst, count] = [0, true, 0];
    const ask = (previous: string | null) => {
      if (performance.now() >= untilMs) return socket.close();
      [sentMs, isFirst] = [performance.now(), true];
      socket.send(JSON.stringify({ type: "response.create", ...request(previous) }));
    };
    socket.onopen = () => ask(null);
    socket.onmessage = ({ data }) => {
      const text = data as string;
      events++;
      if (isFirst && text.startsWith('{"type":"response.created"')) {
        isFirst = false;
        firstMs.push(performance.now() - sentMs);
      }
      if (text.startsWith('{"type":"error"')) {
        failures++;
        if (failures < 3) console.error(text.slice(0, 300));
        socket.close();
      }
      if (!text.startsWith('{"type":"response.completed"')) return;
      turns++;
      ask(++count % TURNS_KEPT === 0 ? null : (/"id":"(resp_\d+)"/.exec(text)?.[1] ?? null));
    };
    socket.onclose = () => resolve();
    socket.onerror = () => void failures++;
  });
}

async function httpClient(number: number): Promise<void> {
  const headers = { ...HEADERS, "content-type": "application/json", "session-id": `bench-${number}-${process.pid}` };
  const body = JSON.stringify(request(null));
  while (performance.now() < untilMs) {
    const sentMs = performance.now();
    const response = await fetch(url, { method: "POST", headers, body });
    let isFirst = true;
    let text = "";
    for await (const chunk of response.body!) {
      if (isFirst) firstMs.push(performance.now() - sentMs);
      isFirst = false;
      text += Buffer.from(chunk).toString("latin1");
    }
    events += text.split("\n\n").length - 1;
    if (response.status === 200 && text.includes("response.completed")) turns++;
    else failures++;
  }
}

const one = over === "socket" ? client : httpClient;
await Promise.all(Array.from({ length: Number(clients) }, (_, number) => one(number)));
firstMs.sort((a, b) => a - b);
const at = (share: number) => Math.round((firstMs[Math.floor(firstMs.length * share)] ?? 0) * 1_000);
console.log(JSON.stringify({ turns, events, failures, first_us: { p50: at(0.5), p99: at(0.99) } }));
process.exit(0);
