/**
 * The proxy's clients in three dresses: Codex (its bytes pass untouched), an SDK that streams, and an SDK that wants one JSON answer.
 */
import { type RawRequest, type Received, sendRaw } from "./raw-http.ts";

export const DRESSES = ["codex", "sdk", "folded"] as const;
export type Dress = (typeof DRESSES)[number];

export interface AskOptions {
  readonly text?: string;
  readonly more?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ProxyClient {
  readonly key: string;
  readonly url: string;
  /** The whole answer. */
  ask(dress: Dress, options?: AskOptions): Promise<Received>;
  /** An answer under way. */
  open(dress: Dress, options?: AskOptions): RawRequest;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Received>;
}

export function createProxyClient(url: string, key: string): ProxyClient {
  const authorization = `Bearer ${key}`;
  const open = (dress: Dress, options: AskOptions = {}) =>
    sendRaw(`${url}${dress === "codex" ? "/backend-api/codex/responses" : "/v1/responses"}`, {
      headers: {
        authorization,
        "content-type": "application/json",
        ...(dress === "codex" ? { originator: "codex_exec" } : {}),
        ...options.headers,
      },
      body: JSON.stringify({ ...requestBody(options.text ?? "hello", dress !== "folded"), ...options.more }),
    });
  return {
    key,
    url,
    open,
    ask: (dress, options) => open(dress, options).received,
    get: (path, headers = {}) =>
      sendRaw(url + path, { method: "GET", headers: { ...headers, authorization } }).received,
  };
}

function requestBody(text: string, stream: boolean): Record<string, unknown> {
  return {
    model: "gpt-5.5",
    instructions: "",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text }] }],
    stream,
    store: false,
    include: ["reasoning.encrypted_content"],
  };
}

export type Event = Record<string, unknown> & { readonly type: string };

/** The JSON events of a stream's text; what is not JSON is left out. */
export function eventsOf(text: string): Event[] {
  const events: Event[] = [];
  for (const block of text.split(/\r\n\r\n|\n\n|\r\r/)) {
    const data = block
      .split(/\r\n|\n|\r/)
      .find((line) => line.startsWith("data:"))
      ?.slice(5);
    try {
      if (data !== undefined) events.push(JSON.parse(data) as Event);
    } catch {
      // `[DONE]`, or what a fault broke.
    }
  }
  return events;
}

/** How often a response begins and ends in a stream. */
export function shapeOf(text: string): string[] {
  const marks = ["response.created", "response.completed", "response.failed", "response.incomplete", "error"];
  return eventsOf(text)
    .map((event) => event.type)
    .filter((type) => marks.includes(type));
}

/** Which of the simulator's accounts spoke: its model says `SIM <alias> says: …`. */
export function speakerOf(text: string): string | null {
  const said = eventsOf(text)
    .filter((event) => event.type === "response.output_text.delta")
    .map((event) => String(event.delta))
    .join("");
  const from = said === "" ? text : said;
  return /SIM (\S+) says/.exec(from)?.[1] ?? null;
}
