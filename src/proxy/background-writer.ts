/**
 * Writes a background response from an exchange's answer: upstream's events under the id that the client was given, and what the response says
 * after each of them. Whatever goes wrong ends as a response with status `failed`, as on the Platform. Keeps nothing itself.
 */
import { AppError, fromUnknown } from "../base/errors.ts";
import type { BackgroundWork } from "../pool/background-desk.ts";
import type { ExchangeAnswer } from "../pool/engine.ts";
import { finalAnswer } from "./final-answer.ts";
import { ResponseFolder } from "./fold.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { streamErrorOf } from "./stream-error.ts";

type Json = Readonly<Record<string, unknown>>;

/** The response before upstream has said anything. */
export function queuedJson(id: string, createdAtMs: number, model: string | null): Uint8Array {
  return bytesOf({
    id,
    object: "response",
    created_at: Math.floor(createdAtMs / 1_000),
    status: "queued",
    background: true,
    store: true,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model,
    output: [],
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    usage: null,
  });
}

/** The same response, canceled. */
export function canceledJson(json: Uint8Array): Uint8Array {
  return bytesOf({ ...parsed(json), status: "cancelled" });
}

export class BackgroundWriter {
  readonly #work: BackgroundWork;
  readonly #nowMs: () => number;
  readonly #blocks = new SseBlocks();
  readonly #folder = new ResponseFolder();
  #sequence = -1;
  /** The response as it stands. */
  #response: Json = {};

  constructor(work: BackgroundWork, nowMs: () => number) {
    this.#work = work;
    this.#nowMs = nowMs;
  }

  /** Reads the answer to its end. Never rejects. */
  async write(answer: ExchangeAnswer): Promise<void> {
    try {
      if (answer.kind === "refused") return this.#refuse(answer.error, answer.exchangeId);
      if (answer.kind === "rejected") return this.#fail(rejection(answer.body));
      await this.#read(answer.body);
    } catch (thrown) {
      // What was read so far stays; a cancel has ended it already, and then this changes nothing.
      this.#refuse(fromUnknown(thrown), answer.exchangeId);
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch(cut);
        if (done) break;
        this.#folder.feed(value);
        this.#blocks.feed(value, this.#onBlock);
        if (this.#blocks.isTooLong) throw new AppError("upstream_malformed", "an event of upstream is too long");
      }
    } catch (thrown) {
      await reader.cancel(thrown).catch(() => {});
      throw thrown;
    }
    this.#blocks.end(this.#onBlock);
    const folded = this.#folder.end();
    if (folded.kind === "response") return this.#work.end(bytesOf(this.#ours(folded.response)));
    if (folded.kind === "failed") return this.#work.end(bytesOf(failed(this.#base(), folded.error)));
    if (folded.kind === "cut") cut();
    throw new AppError("upstream_malformed", `upstream's stream cannot be read: ${folded.reason}`);
  }

  readonly #onBlock = (block: Buffer): boolean => {
    const data = blockData(block);
    if (data === null) return true;
    let event: Json;
    try {
      event = JSON.parse(data.toString()) as Json;
    } catch {
      // `[DONE]`, which ends nothing here.
      return true;
    }
    if (typeof event?.type === "string") this.#take(event, event.type);
    return true;
  };

  #take(event: Json, type: string): void {
    const told = typeof event.sequence_number === "number" ? event.sequence_number : -1;
    this.#sequence = Math.max(told, this.#sequence + 1);
    const response = isObject(event.response) ? this.#ours(event.response) : null;
    const worded = { ...event, sequence_number: this.#sequence, ...(response === null ? {} : { response }) };
    this.#work.event({ sequence: this.#sequence, bytes: eventBytes(type, worded) });
    if (response === null) return;
    this.#response = response;
    if (response.status === "in_progress" || response.status === "queued") this.#work.says(bytesOf(response));
  }

  /** Under the id that the client knows. */
  #ours(response: Json): Json {
    return { ...response, id: this.#work.id, background: true, store: true };
  }

  #refuse(error: AppError, exchangeId: string): void {
    const { body } = finalAnswer(error, { surface: "sdk", stream: false, exchangeId, nowMs: this.#nowMs() });
    this.#fail(rejection(body));
  }

  /** It ends like this for who fetches it, and for who streams it. */
  #fail(error: { code: string; message: string }): void {
    const response = failed(this.#base(), error);
    const type = "response.failed";
    const sequence = ++this.#sequence;
    try {
      this.#work.event({ sequence, bytes: eventBytes(type, { type, sequence_number: sequence, response }) });
    } catch {
      // No room even for that: the response itself says it.
    }
    this.#work.end(bytesOf(response));
  }

  #base(): Json {
    if (Object.keys(this.#response).length > 0) return this.#response;
    return parsed(queuedJson(this.#work.id, this.#work.createdAtMs, null));
  }
}

function cut(cause?: unknown): never {
  throw new AppError("upstream_cut", "upstream ended the stream before the response was complete", { cause });
}

function failed(response: Json, { code, message }: { code: string | null; message: string }): Json {
  return { ...response, status: "failed", error: { code: code ?? "server_error", message } };
}

/** A refusal's own words, in whatever form it has them. */
function rejection(body: Uint8Array): { code: string; message: string } {
  const said = parsed(body);
  const { code, type, message } = streamErrorOf({ type: "error", ...said });
  const detail = typeof said.detail === "string" ? said.detail : message;
  return { code: code ?? type ?? "invalid_request_error", message: detail };
}

function parsed(bytes: Uint8Array): Json {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function eventBytes(type: string, event: Json): Uint8Array {
  return new TextEncoder().encode(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
}

function bytesOf(value: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
