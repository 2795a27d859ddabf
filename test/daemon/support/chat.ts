/** A client that speaks Chat Completions, on bare sockets. */
import { type Accumulated, accumulate, chunksOf } from "../../support/chat-stream.ts";
import type { ProxyClient } from "./client.ts";
import { type RawRequest, type Received, sendRaw } from "./raw-http.ts";

export interface ChatAnswer {
  readonly received: Received;
  readonly message: Readonly<Record<string, unknown>>;
  readonly finish: string | null;
  readonly usage: unknown;
  readonly error: Readonly<Record<string, unknown>> | null;
  /** The stream said that it is done, or the object came whole. */
  readonly done: boolean;
}

export function openChat(client: ProxyClient, text: string, more: object = {}): RawRequest {
  return sendRaw(`${client.url}/v1/chat/completions`, {
    headers: { authorization: `Bearer ${client.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5.5", messages: [{ role: "user", content: text }], ...more }),
  });
}

export async function askChat(client: ProxyClient, text: string, more: object = {}): Promise<ChatAnswer> {
  return readChat(await openChat(client, text, more).received);
}

export function readChat(received: Received): ChatAnswer {
  const isStream = received.headers.get("content-type")?.startsWith("text/event-stream") === true;
  return { received, ...(isStream ? accumulate(chunksOf(received.text)) : ofObject(JSON.parse(received.text))) };
}

interface Completion {
  readonly error?: Record<string, unknown>;
  readonly choices?: { message: Record<string, unknown>; finish_reason: string }[];
  readonly usage?: unknown;
}

function ofObject({ error, choices, usage }: Completion): Accumulated {
  const choice = choices?.[0];
  return {
    message: choice?.message ?? {},
    finish: choice?.finish_reason ?? null,
    usage,
    error: error ?? null,
    done: choice !== undefined,
  };
}
