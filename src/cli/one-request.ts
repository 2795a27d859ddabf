/**
 * One streaming request as any client would send it, with what came back and what the daemon says about it.
 */

import { AppError } from "../base/errors.ts";
import type { Exchange } from "../gen/rotor/v1/exchange_pb.ts";
import type { DaemonLink } from "./daemon-link.ts";
import type { CliIo } from "./io.ts";
import { callLoopback, dialable } from "./loopback-http.ts";

export interface Served {
  readonly status: number;
  readonly retryAfter: string | null;
  /** Text of the model, or the body of a refusal. */
  readonly text: string;
  readonly events: number;
  /** The stream ended as a finished answer does. */
  readonly completed: boolean;
  readonly exchange: Exchange;
}

/** The daemon closes the book on an exchange just after the client has its last byte. */
const BOOK_DEADLINE_MS = 3_000;
const POLL_MS = 10;

export interface OneRequest {
  /** Client key that it shows. */
  readonly secret: string;
  readonly model: string;
  readonly prompt: string;
}

export async function sendRequest(io: CliIo, link: DaemonLink, { secret, model, prompt }: OneRequest): Promise<Served> {
  const body = { model, stream: true, input: [{ role: "user", content: prompt }] };
  const answer = await callLoopback(new URL("/v1/responses", dialable(link.daemon.proxyUrl)), {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: io.interrupted,
  });
  const id = String(answer.headers["x-rotor-exchange"] ?? "");
  const read = createReader(String(answer.headers["content-type"] ?? "").startsWith("text/event-stream"));
  for await (const chunk of answer.body) read.push(chunk);
  if (id === "") throw new AppError("internal", `an answer came without its exchange: ${answer.status} ${read.text()}`);
  return {
    status: answer.status,
    retryAfter: answer.headers["retry-after"] ?? null,
    text: read.text(),
    events: read.events(),
    completed: read.completed(),
    exchange: await closedExchange(io, link, id),
  };
}

async function closedExchange(io: CliIo, link: DaemonLink, exchangeId: string): Promise<Exchange> {
  const deadlineMs = io.clock.monotonicMs() + BOOK_DEADLINE_MS;
  for (;;) {
    const { exchange } = await link.exchanges.getExchange({ exchangeId });
    if (exchange?.endTime !== undefined) return exchange;
    if (io.clock.monotonicMs() > deadlineMs) throw new AppError("internal", `exchange ${exchangeId} does not end`);
    await io.clock.sleep(POLL_MS, io.interrupted);
  }
}

/** Server-sent events as they arrive, or a plain body. */
function createReader(isStream: boolean) {
  const decoder = new TextDecoder();
  let rest = "";
  let said = "";
  let events = 0;
  let completed = false;
  const take = (data: string) => {
    const event = JSON.parse(data) as { type?: string; delta?: string };
    events++;
    if (event.type === "response.output_text.delta") said += event.delta ?? "";
    if (event.type === "response.completed") completed = true;
  };
  return {
    push(chunk: Uint8Array) {
      rest += decoder.decode(chunk, { stream: true });
      if (!isStream) return;
      const lines = rest.split(/\r?\n/);
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("data:") && !line.includes("[DONE]")) take(line.slice(5));
    },
    text: () => (isStream ? said : rest),
    events: () => events,
    completed: () => completed,
  };
}
