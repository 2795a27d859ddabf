/**
 * Doubles of the three kinds of client: each sends what the real one sends and reacts as the real one was seen to react (wire reference
 * §4; Codex 0.169, OpenCode 1.18.33, openai 7.55): what it takes as final, what it sends again, and how often. test/clients/fault-cells.test.ts
 * holds them against the real ones. They never wait between two tries, which those do. They know nothing of accounts or faults.
 */
import { openSocket, type TestSocket } from "../../support/ws-client.ts";
import { eventsOf } from "./client.ts";
import { type Received, sendRaw } from "./raw-http.ts";

/** Where a double sends its turn. */
export interface Line {
  readonly url: string;
  readonly key: string;
  readonly session: string;
  /** Called once when the client is connected and about to send its turn. */
  ready(): void;
}

export interface Told {
  /**
   * What the client has in the end: `answer`, `warned` (an answer, and Codex's warning that another model gave it), `short` (cut by its
   * own limit), `cut` (no end), `odd` (events that its types do not know), or what it was told: `429/usage_limit_reached` by a status,
   * `failed/…` by an event inside the answer, `frame 429/…` by a frame.
   */
  readonly verdict: string;
  /** Everything of the last try, to find out who spoke. */
  readonly text: string;
  /** How often the turn was sent. */
  readonly requests: number;
}

export type Double = (line: Line) => Promise<Told>;

interface Try {
  readonly verdict: string;
  readonly text: string;
}

/** Codex's defaults (wire §4): four retries of a request that met a 5xx, five of a turn whose stream broke. */
const CODEX_REQUEST_RETRIES = 4;
const CODEX_STREAM_RETRIES = 5;
/** Failures inside a stream that Codex takes as final; every other one it sends again (wire §4.2). */
const CODEX_FINAL =
  /^failed\/(context_length_exceeded|insufficient_quota|usage_not_included|server_is_overloaded|invalid_prompt|cyber_policy)$/;
/** The `openai` package's default. */
const SDK_RETRIES = 2;
const SDK_RETRIED = /^(408|409|429|5\d\d)\//;
/** OpenCode goes on until somebody stops it (wire §4.4); here somebody does. */
const OPENCODE_PATIENCE = 3;
const OPENCODE_RETRIED = /^((408|409|429|5\d\d)\/|failed\/|cut$|odd$)/;
const DONE = /^(answer|warned|short)$/;

const item = (role: string, text: string) => ({ type: "message", role, content: [{ type: "input_text", text }] });
const PROMPT = item("developer", "You are a coding agent.");
const CODEX_BODY = { model: "gpt-5.5", stream: true, store: false, include: ["reasoning.encrypted_content"] };
const TEXT = "say something long enough to be broken in its middle";

export const codexOverHttp: Double = async (line) => {
  line.ready();
  return codexRetries((requests) => sendCodexTurn(line, requests));
};

export const codexOverSocket: Double = async (line) => {
  const headers = { authorization: `Bearer ${line.key}`, originator: "codex_exec", "session-id": line.session };
  const connect = () => openSocket(`${line.url}/backend-api/codex/responses`, headers);
  let socket: TestSocket | null = await connect();
  // The real one warms up with its base prompt, and its turn refers to that (wire §3.5).
  const prompt = await framesOf(socket, { ...CODEX_BODY, input: [PROMPT], generate: false });
  const warm = /"id":"(resp_[^"]+)"/.exec(prompt.text)?.[1] ?? null;
  line.ready();
  let requests = 0;
  for (let streams = 0; ; ) {
    const isFirst = requests === 0 && warm !== null;
    const turn = isFirst
      ? { input: [item("user", TEXT)], previous_response_id: warm }
      : { input: [PROMPT, item("user", TEXT)] };
    requests++;
    socket ??= await connect();
    const { verdict, text } = await framesOf(socket, { ...CODEX_BODY, ...turn });
    const isOver = DONE.test(verdict) || /^frame (400|429)\//.test(verdict) || CODEX_FINAL.test(verdict);
    // "Send everything on a new socket" costs none of its retries, once.
    const isSocketLost = /previous_response_not_found|websocket_connection_limit_reached/.test(verdict);
    const isRetried = isSocketLost || !isOver;
    socket.close();
    socket = null;
    if (!isRetried) return { verdict, text, requests };
    if (isSocketLost && requests === 1) continue;
    // "Falling back from WebSockets to HTTPS transport", where it begins to count anew.
    if (streams++ === CODEX_STREAM_RETRIES) return codexRetries((tries) => sendCodexTurn(line, tries), requests);
  }
};

export const openCodeOverHttp: Double = async (line) => {
  line.ready();
  for (let requests = 1; ; requests++) {
    const body = { model: "gpt-5.5", input: TEXT, stream: true, store: false };
    const got = await post(line, "/v1/responses", body, { "x-session-id": line.session });
    const { verdict, text } = typedEnd(got);
    if (!OPENCODE_RETRIED.test(verdict) || requests === OPENCODE_PATIENCE) return { verdict, text, requests };
  }
};

export const sdkStreamed: Double = (line) => sdkRetries(line, true, typedEnd);

export const sdkWhole: Double = (line) =>
  sdkRetries(line, false, (got) => ({ verdict: objectEnd(got), text: got.text }));

/** `ResponsesWS` of the `openai` package: it tells its program everything and does nothing about it. */
export const sdkOverSocket: Double = async (line) => {
  const headers = { authorization: `Bearer ${line.key}`, "session-id": line.session };
  const socket = await openSocket(`${line.url}/v1/responses`, headers);
  line.ready();
  const end = await framesOf(socket, { model: "gpt-5.5", input: TEXT });
  socket.close();
  return { ...end, requests: 1 };
};

async function codexRetries(send: (requests: number) => Promise<Received>, before = 0): Promise<Told> {
  let requests = before;
  for (let streams = 0; ; streams++) {
    let got: Received;
    let tries = 0;
    do {
      requests++;
      got = await send(requests);
    } while (got.status >= 500 && tries++ < CODEX_REQUEST_RETRIES);
    const { verdict, text } = codexEnd(got);
    const isOver = DONE.test(verdict) || /^(400|429)\//.test(verdict) || CODEX_FINAL.test(verdict);
    if (isOver || streams === CODEX_STREAM_RETRIES) return { verdict, text, requests };
  }
}

function sendCodexTurn(line: Line, requests: number): Promise<Received> {
  const headers = {
    originator: "codex_exec",
    "session-id": line.session,
    accept: "text/event-stream",
    "x-client-request-id": `${line.session}-${requests}`,
  };
  return post(line, "/backend-api/codex/responses", { ...CODEX_BODY, input: [PROMPT, item("user", TEXT)] }, headers);
}

async function sdkRetries(line: Line, stream: boolean, end: (got: Received) => Try): Promise<Told> {
  line.ready();
  for (let requests = 1; ; requests++) {
    const headers = { "session-id": line.session };
    const got = await post(line, "/v1/responses", { model: "gpt-5.5", input: TEXT, stream }, headers);
    const { verdict, text } = end(got);
    const isRetried = SDK_RETRIED.test(verdict) && got.headers.get("x-should-retry") !== "false";
    if (!isRetried || requests > SDK_RETRIES) return { verdict, text, requests };
  }
}

function post(line: Line, path: string, body: object, headers: Readonly<Record<string, string>>): Promise<Received> {
  const all = { authorization: `Bearer ${line.key}`, "content-type": "application/json", ...headers };
  return sendRaw(line.url + path, { headers: all, body: JSON.stringify(body) }).received;
}

/** A top-level `error` event says nothing to Codex (wire §0.1): what counts is how the stream ends after it. Nor does it unpack anything. */
function codexEnd(got: Received): Try {
  const { text } = got;
  if (got.status !== 200) return { verdict: refusalIn(got.status, text), text };
  const last = eventsOf(text).find(({ type }) => ENDS.has(type));
  const verdict = last === undefined ? "cut" : eventVerdict(last);
  const model = got.headers.get("openai-model");
  return { verdict: verdict === "answer" && model !== null && model !== CODEX_BODY.model ? "warned" : verdict, text };
}

/** For a client whose events have types: nothing that they do not know, nothing that is no JSON, and the beginning first. */
function typedEnd(got: Received): Try {
  const text = got.headers.get("content-encoding") === "gzip" ? unpacked(got) : got.text;
  if (got.status !== 200) return { verdict: refusalIn(got.status, text), text };
  const events = eventsOf(text);
  const last = events.find(({ type }) => ENDS.has(type) || type === "error");
  const isOdd = events[0]?.type !== "response.created" || events.some(({ type }) => type.startsWith("codex."));
  if (isOdd || jsonLines(text) !== events.length) return { verdict: "odd", text };
  return { verdict: last === undefined ? "cut" : eventVerdict(last), text };
}

const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed"]);

function jsonLines(text: string): number {
  return text.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:") && line !== "data: [DONE]").length;
}

function unpacked(got: Received): string {
  return new TextDecoder().decode(Bun.gunzipSync(got.bytes as Uint8Array<ArrayBuffer>));
}

function objectEnd(got: Received): string {
  if (got.status !== 200) return refusalIn(got.status, got.text);
  const { status } = JSON.parse(got.text) as { status: string };
  return status === "completed" ? "answer" : "short";
}

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

function eventVerdict(event: Event): string {
  if (event.type === "response.completed") return "answer";
  if (event.type === "response.incomplete") return "short";
  const { error } = (event.type === "error" ? event : event.response) as { error: { code?: string; type?: string } };
  return `failed/${error.code ?? error.type}`;
}

function refusalIn(status: number, text: string): string {
  let body: { error?: { code?: string; type?: string }; detail?: unknown };
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    return `${status}/${text === "" ? "empty" : "not_json"}`;
  }
  const code = body.error?.code ?? body.error?.type;
  return `${status}/${code ?? (body.detail === undefined ? "?" : "detail")}`;
}

/** One request on a socket, up to its end or the socket's. */
async function framesOf(socket: TestSocket, request: object): Promise<Try> {
  socket.send({ type: "response.create", ...request });
  let text = "";
  for (;;) {
    let frame: Event;
    try {
      frame = await socket.next();
    } catch {
      return { verdict: "cut", text };
    }
    text += `data: ${JSON.stringify(frame)}\n\n`;
    if (frame.type === "error") {
      const status = (frame.status ?? frame.status_code) as number | undefined;
      // Codex ignores an error without a status, and hangs for five minutes (wire §0.1).
      const error = frame.error as { code?: string; type?: string };
      return { verdict: `frame ${status ?? "without status"}/${error.code ?? error.type}`, text };
    }
    if (ENDS.has(frame.type)) return { verdict: isReroute(text, request) ? "warned" : eventVerdict(frame), text };
  }
}

/** What over HTTP is a header comes as an event here. */
function isReroute(text: string, request: object): boolean {
  const model = /"openai-model":"([^"]+)"/.exec(text)?.[1];
  return model !== undefined && model !== (request as { model: string }).model;
}
