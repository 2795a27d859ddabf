/**
 * An engine for tests of the proxy door: it records what the door asks of it and answers what the test put in. Everything that the door
 * has no business with throws.
 */
import { AppError } from "../../src/base/errors.ts";
import type { HeaderList } from "../../src/base/header-list.ts";
import { sha256Hex } from "../../src/base/id.ts";
import type { Account } from "../../src/domain/account.ts";
import { type ClientKey, NO_TERMS, parseClientKey } from "../../src/domain/client-key.ts";
import type { ExchangeId } from "../../src/domain/exchange.ts";
import type { ModelAlias } from "../../src/domain/model.ts";
import type { ModelMapping } from "../../src/domain/model-choice.ts";
import type { PooledUsage } from "../../src/domain/pooled-usage.ts";
import type { AuditDesk } from "../../src/pool/audit-book.ts";
import type { BackgroundDesk } from "../../src/pool/background-desk.ts";
import type { BudgetDesk } from "../../src/pool/budget-desk.ts";
import type { CatalogueAnswer, CatalogueDesk } from "../../src/pool/catalogue.ts";
import type { ClientDesk } from "../../src/pool/client-desk.ts";
import type {
  AccountDesk,
  Engine,
  ExchangeAnswer,
  ExchangeDesk,
  ExchangeRequest,
  FileDesk,
  HistoryDesk,
  LoginDesk,
  SelectionDesk,
} from "../../src/pool/engine.ts";
import type { KeyDesk } from "../../src/pool/key-desk.ts";
import type { LedgerDesk } from "../../src/pool/ledger.ts";
import type { PriceDesk } from "../../src/pool/price-desk.ts";
import type { SettingDesk } from "../../src/pool/setting-desk.ts";
import type { TransferDesk } from "../../src/pool/transfer-desk.ts";

export const EXCHANGE_ID = "01JTESTEXCHANGE00000000000" as ExchangeId;
export const KEY_ID = "0123456789";
/** Built at run time, so that no file holds anything of this shape. */
export const CLIENT_KEY = ["rtr", KEY_ID, "k".repeat(43)].join("_");

export type Reply = (request: ExchangeRequest) => ExchangeAnswer | Promise<ExchangeAnswer>;

export interface FakeEngine {
  readonly engine: Engine;
  /** What the door asked, oldest first. */
  readonly requests: ExchangeRequest[];
  /** The last of them; throws when there is none. */
  readonly last: () => ExchangeRequest;
  /** What clients are told of the pool; null = nothing. */
  pooled: PooledUsage | null;
  /** How often that was reckoned. */
  reckonings: number;
  readonly modelRequests: Parameters<Engine["catalogue"]["models"]>[0][];
  reply: Reply;
  models: CatalogueAnswer;
  aliases: ModelAlias[];
  /** By the name that is asked. */
  readonly mappings: Map<string, ModelMapping>;
  accounts: readonly Account[];
}

export function createFakeEngine(): FakeEngine {
  const key: ClientKey = {
    id: KEY_ID,
    name: "test",
    hash: { algorithm: "sha256", hex: sha256Hex(CLIENT_KEY) },
    former: null,
    terms: NO_TERMS,
    createdAtMs: 0,
    revokedAtMs: null,
    lastUsedAtMs: null,
  };
  const fake: FakeEngine = {
    engine: {
      accounts: only<AccountDesk>({ list: () => fake.accounts }),
      logins: only<LoginDesk>({}),
      files: only<FileDesk>({}),
      transfers: only<TransferDesk>({}),
      selection: only<SelectionDesk>({}),
      history: only<HistoryDesk>({}),
      budgets: only<BudgetDesk>({}),
      ledger: only<LedgerDesk>({}),
      prices: only<PriceDesk>({}),
      exchanges: only<ExchangeDesk>({
        run: async (request: ExchangeRequest) => {
          fake.requests.push(request);
          return filtered(await fake.reply(request), request);
        },
      }),
      keys: only<KeyDesk>({
        list: () => [key],
        verify: (text: string) => (parseClientKey(text) !== null && text === CLIENT_KEY ? key : null),
      }),
      clients: only<ClientDesk>({ admit: () => null }),
      settings: only<SettingDesk>({}),
      audit: only<AuditDesk>({}),
      background: only<BackgroundDesk>({}),
      usage: {
        isPooled: () => fake.pooled !== null,
        told() {
          fake.reckonings++;
          return fake.pooled;
        },
      },
      rules: only<Engine["rules"]>({}),
      profiles: only<Engine["profiles"]>({ modelsFor: () => null }),
      catalogue: only<CatalogueDesk>({
        isLite: (model: string) => model.endsWith("-lite"),
        models: async (clientVersion: string | null) => {
          fake.modelRequests.push(clientVersion);
          return fake.models;
        },
        etag: () => (fake.models.kind === "models" ? fake.models.etag : null),
        defaultEffort: () => "medium",
        choose: (asked: string) => fake.mappings.get(asked) ?? null,
        prepare: async () => {},
        aliases: () => fake.aliases,
      }),
      counters: () => unasked("counters"),
      checkStore: () => unasked("checkStore"),
    },
    requests: [],
    last() {
      const request = fake.requests.at(-1);
      if (request === undefined) throw new Error("the engine was asked nothing");
      return request;
    },
    modelRequests: [],
    aliases: [],
    mappings: new Map(),
    reply: () => opened(sse(COMPLETED)),
    models: { kind: "refused", error: new AppError("no_accounts", "there are no accounts yet") },
    accounts: [],
    pooled: null,
    reckonings: 0,
  };
  return fake;
}

/** Applies the door's filter as an opened stream does, in one piece. */
async function filtered(answer: ExchangeAnswer, { filter }: ExchangeRequest): Promise<ExchangeAnswer> {
  if (answer.kind !== "opened" || filter === null) return answer;
  const one = filter();
  const body = answer.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => controller.enqueue(one.feed(chunk)),
      flush: (controller) => controller.enqueue(one.end()),
    }),
  );
  return { ...answer, body };
}

/** A desk with only what the door may use. */
function only<T extends object>(part: Partial<T>): T {
  return new Proxy(part, { get: (target, name) => Reflect.get(target, name) ?? (() => unasked(String(name))) }) as T;
}

function unasked(name: string): never {
  throw new Error(`the proxy door has no business with ${name}`);
}

export const EVENT_STREAM: HeaderList = [["content-type", "text/event-stream; charset=utf-8"]];

/** An opened answer over `body`: a whole text, its chunks, or a stream. */
export function opened(
  body: string | readonly (string | Uint8Array)[] | ReadableStream<Uint8Array>,
  headers: HeaderList = EVENT_STREAM,
  status = 200,
): ExchangeAnswer {
  const stream = body instanceof ReadableStream ? body : streamOf(typeof body === "string" ? [body] : body);
  return { kind: "opened", exchangeId: EXCHANGE_ID, status, headers, body: stream };
}

export function refused(error: AppError): ExchangeAnswer {
  return { kind: "refused", exchangeId: EXCHANGE_ID, error };
}

/** Hands out one chunk a pull and buffers none. */
export function streamOf(chunks: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const rest = [...chunks];
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = rest.shift();
        if (chunk === undefined) return controller.close();
        controller.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
      },
    },
    { highWaterMark: 0 },
  );
}

export interface TestEvent {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** Events as upstream writes them. */
export function sse(events: readonly TestEvent[], lineEnd = "\n"): string {
  return events
    .map((event) => `event: ${event.type}${lineEnd}data: ${JSON.stringify(event)}${lineEnd}${lineEnd}`)
    .join("");
}

const RESPONSE = { id: "resp_1", object: "response", model: "gpt-5.5", error: null };
const MESSAGE = {
  id: "msg_1",
  type: "message",
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text: "hello" }],
};

/** A short answer, with an empty `output` at its end as the ChatGPT backend sends it. */
export const COMPLETED: readonly TestEvent[] = [
  { type: "response.created", response: { ...RESPONSE, status: "in_progress", output: [] } },
  { type: "response.output_item.added", output_index: 0, item: { ...MESSAGE, status: "in_progress", content: [] } },
  { type: "response.output_text.delta", item_id: "msg_1", output_index: 0, content_index: 0, delta: "hello" },
  { type: "response.output_item.done", output_index: 0, item: MESSAGE },
  {
    type: "response.completed",
    response: {
      ...RESPONSE,
      status: "completed",
      output: [],
      usage: { input_tokens: 3, output_tokens: 1, total_tokens: 4 },
    },
  },
];
