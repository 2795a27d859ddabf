/**
 * GET /codex/responses as a WebSocket (wire reference §3.5): one request a text frame, its events as text frames, and a memory of what was
 * answered on this connection and nowhere else. Refuses as the backend does, in error frames that carry a status.
 */

import { BODY_MAX_BYTES } from "../base/bounds.ts";
import { randomToken } from "../base/id.ts";
import { createFrameReader, FrameFault, type FrameReader, OPCODE, type WsMessage } from "../base/ws-frames.ts";
import { acceptKey, DEFLATE_OFFER, offersDeflate } from "../base/ws-handshake.ts";
import type { SimAccount } from "./accounts.ts";
import { limitHeaders } from "./allowance-wire.ts";
import { detailAnswer, errorAnswer } from "./answer.ts";
import { identify } from "./backend-identity.ts";
import type { RawWire } from "./http-exchange.ts";
import { type HeaderList, headerOf } from "./http-request.ts";
import { asList, asObject, asText, type JsonObject, tryParseJson } from "./json.ts";
import { modelsBody } from "./models.ts";
import { noteAccount } from "./recorder.ts";
import { type PromptCache, type ReadBody, serveTurn } from "./responses.ts";
import { requestIds, sendAnswer, serve, targetOf } from "./serve.ts";
import { createFrameExchange, type FrameWire, sendFrame } from "./socket-exchange.ts";
import type { Call } from "./world.ts";

export async function handleUpgrade(call: Call, cache: PromptCache): Promise<void> {
  const { headers } = call.exchange.request;
  if (headerOf(headers, "upgrade")?.toLowerCase() !== "websocket")
    return sendAnswer(call, detailAnswer(405, "Method Not Allowed"));
  const identity = identify(call);
  if (identity.refused) return sendAnswer(call, identity.refused);
  const key = headerOf(headers, "sec-websocket-key");
  if (key === null || headerOf(headers, "sec-websocket-version") !== "13")
    return sendAnswer(call, detailAnswer(400, "Not a WebSocket handshake"));
  const { account } = identity;
  await serve(call, targetOf("upgrade", account), () => ({
    stream: () => new ResponsesSocket(call, account, cache).run(key),
  }));
}

/** What was answered: the whole conversation up to there. */
interface Link {
  items: unknown[];
}

class ResponsesSocket {
  readonly #deflate: boolean;
  readonly #frames: FrameReader;
  readonly #links = new Map<string, Link>();
  #wire: RawWire | null = null;
  #early: Uint8Array[] = [];
  #busy = false;

  constructor(
    private readonly call: Call,
    private readonly account: SimAccount,
    private readonly cache: PromptCache,
  ) {
    this.#deflate = offersDeflate(headerOf(call.exchange.request.headers, "sec-websocket-extensions"));
    this.#frames = createFrameReader({ from: "client", maxBytes: BODY_MAX_BYTES, deflate: this.#deflate });
  }

  async run(key: string): Promise<void> {
    const { exchange } = this.call;
    this.#wire = await exchange.upgrade!(this.#headers(key), (bytes) => this.#receive(bytes));
    this.call.record.status = exchange.status;
    for (const bytes of this.#early.splice(0)) this.#receive(bytes);
    await exchange.untilGone();
  }

  #headers(key: string): HeaderList {
    const { world } = this.call;
    const { account } = this;
    return [
      ["sec-websocket-accept", acceptKey(key)],
      ...(this.#deflate ? ([["sec-websocket-extensions", DEFLATE_OFFER]] as HeaderList) : []),
      ...requestIds(this.call),
      ["x-codex-turn-state", world.sealed.seal(account.accountId, randomToken(world.dice, 9))],
      ["x-models-etag", modelsBody(account).etag],
      ["x-reasoning-included", "true"],
      ...limitHeaders(account, account.buckets[0]!, world.clock.nowMs()),
    ];
  }

  #receive(bytes: Uint8Array): void {
    if (this.#wire === null) {
      this.#early.push(new Uint8Array(bytes));
      return;
    }
    try {
      for (const message of this.#frames.feed(bytes)) this.#take(message);
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      void this.#close(error.closeCode, error.message);
    }
  }

  #take(message: WsMessage): void {
    switch (message.kind) {
      case "ping":
        void sendFrame(this.#frameWire(), OPCODE.pong, message.data);
        return;
      case "pong":
        return;
      case "close":
        void this.#close(message.code, message.reason);
        return;
      case "binary":
        void this.#close(1003, "text only");
        return;
      case "text":
        void this.#request(message.data);
    }
  }

  #frameWire(): FrameWire {
    return { wire: this.#wire!, deflate: this.#deflate };
  }

  async #close(code: number, reason: string): Promise<void> {
    await sendFrame(this.#frameWire(), OPCODE.close, { code, reason });
    this.#wire!.close("fin");
  }

  async #request(data: Uint8Array): Promise<void> {
    const { world, exchange } = this.call;
    const body = asObject(tryParseJson(new TextDecoder().decode(data)));
    // What some versions send after a turn; nothing comes of it.
    if (body?.type === "response.processed") return;
    const request = { ...exchange.request, method: "WS", body: data };
    const record = world.recorder.open(request, world.clock.nowMs());
    noteAccount(record, this.account.alias);
    if (world.recorder.settings.bodies) record.body = body;
    world.gauges.requests++;
    const link: Link = { items: [] };
    const turn = createFrameExchange(exchange, request, this.#frameWire(), {
      onEvent: (event) => this.#note(event, link),
      close: (code, reason) => this.#close(code, reason),
    });
    const call: Call = { world, exchange: turn, record };
    if (this.#busy) return sendAnswer(call, detailAnswer(400, "A response is in progress on this connection"));
    this.#busy = true;
    try {
      await this.#serve(call, body, link);
    } catch (error) {
      world.log.error("simulator.request_crashed", { error });
      this.#wire!.close("reset");
    } finally {
      this.#busy = false;
      record.status = turn.status;
      record.endedAtMs = world.clock.nowMs();
      if (record.end === "open") record.end = exchange.gone.aborted ? "client_closed" : "answered";
    }
  }

  async #serve(call: Call, body: JsonObject | null, link: Link): Promise<void> {
    if (body?.type !== "response.create") return sendAnswer(call, detailAnswer(400, "Unknown message type"));
    const { type: _type, previous_response_id, generate, ...rest } = body;
    const before = previous_response_id == null ? { items: [] } : this.#links.get(asText(previous_response_id) ?? "");
    if (before === undefined) return sendAnswer(call, notFound(previous_response_id));
    link.items = [...before.items, ...(asList(rest.input) ?? [])];
    if (generate === false) return this.#warmUp(call, rest, link);
    const read: ReadBody = { ok: true, body: { ...rest, input: Array.isArray(rest.input) ? link.items : rest.input } };
    await serveTurn(call, this.account, read, this.cache);
  }

  /** A request that only says what is to come (wire reference §3.5, step 1): nothing is generated, nothing is charged. */
  async #warmUp(call: Call, body: JsonObject, link: Link): Promise<void> {
    const { world, exchange } = call;
    await serve(call, { ...targetOf("responses", this.account), model: asText(body.model) }, () => ({
      stream: async () => {
        await exchange.begin(200, []);
        const opening = {
          id: `resp_${randomToken(world.dice, 18)}`,
          object: "response",
          created_at: Math.floor(world.clock.nowMs() / 1_000),
          status: "in_progress",
          model: body.model,
          output: [],
          usage: null,
        };
        const usage = {
          input_tokens: 0,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: 0,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: 0,
        };
        const completed = { ...opening, status: "completed", usage };
        await exchange.message!(JSON.stringify({ type: "response.created", response: opening }));
        await exchange.message!(JSON.stringify({ type: "response.completed", response: completed }));
        this.#note({ type: "response.completed", response: completed }, link);
      },
    }));
  }

  #note(event: JsonObject, link: Link): void {
    if (event.type === "response.output_item.done") link.items.push(remembered(asObject(event.item) ?? {}));
    const id = asText(asObject(event.response)?.id);
    if (event.type === "response.completed" && id !== null) this.#links.set(id, link);
  }
}

/** What this connection remembers needs no sealed copy: without one, an id would mean something that was saved. */
function remembered({ id, ...item }: JsonObject): JsonObject {
  return item.type === "reasoning" && asText(item.encrypted_content) === null ? item : { id, ...item };
}

function notFound(id: unknown) {
  return errorAnswer(400, {
    message: `Previous response with id '${id}' not found.`,
    param: "previous_response_id",
    code: "previous_response_not_found",
  });
}
