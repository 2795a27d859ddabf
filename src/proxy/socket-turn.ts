/**
 * A client's `response.create` frame as an exchange (wire §3.5): the request that it would have been over HTTP, whole, with what only a
 * WebSocket carries inside its body put where HTTP has it. A Codex client's members stay byte for byte.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { ExchangeRequest } from "../pool/engine.ts";
import type { SocketAsk } from "../pool/socket-ask.ts";
import { findMember, isArray, isNull, isText, readFlag, readText } from "./json-members.ts";
import { type Edit, jsonBytes, spliceMembers } from "./json-splice.ts";
import { viewObject } from "./json-view.ts";
import { inputFromText } from "./normalise-input.ts";
import { type ScannedBody, scanBody, textOf, turnFacts } from "./request-facts.ts";
import { sdkEvents } from "./sdk-events.ts";
import type { Items, SocketChain } from "./socket-chain.ts";
import { codexTurn, commonOf, pooledEvents, sdkTurn, type TurnVisit } from "./turn.ts";

export interface Asked {
  /** The request as it would be over HTTP, with its whole input. */
  readonly body: ScannedBody;
  /** All items of that input. */
  readonly items: Items;
  readonly socket: SocketAsk;
  readonly model: string | null;
}

const TRUE = jsonBytes(true);
const OPEN = Buffer.from("[");
const CLOSE = Buffer.from("]");
const COMMA = Buffer.from(",");
const EMPTY_LIST = Buffer.from("[]");

/** Throws `invalid_request`, or `previous_response_not_found` for what the chain does not hold. */
export function readAsk(frame: ScannedBody, chain: SocketChain): Asked {
  const { bytes, members } = frame;
  const edits = new Map<string, Edit>([["type", null]]);
  let since: SocketAsk["since"] = null;
  const generate = findMember(members, "generate");
  const warmUp = readFlag(bytes, generate) === false;
  if (generate !== null) edits.set("generate", null);
  if (findMember(members, "stream") === null) edits.set("stream", TRUE);
  const own = itemsIn(frame);
  const previous = findMember(members, "previous_response_id");
  let items = own;
  if (previous !== null) edits.set("previous_response_id", null);
  if (previous !== null && !isNull(bytes, previous)) {
    const responseId = readText(bytes, previous) ?? "";
    items = [...earlierItems(responseId, chain), ...items];
    since = { responseId, body: spliceMembers(bytes, members, withoutPrevious(edits)) };
    edits.set("input", EMPTY_LIST);
  }
  const told = scanBody(spliceMembers(bytes, members, edits));
  const body = since === null ? told : withItems(told, items);
  return { body, items, socket: { warmUp, since }, model: textOf(frame, "model") };
}

/** The same edits, but for the one that takes the reference out. */
function withoutPrevious(edits: ReadonlyMap<string, Edit>): ReadonlyMap<string, Edit> {
  return new Map([...edits].filter(([key]) => key !== "previous_response_id"));
}

function earlierItems(responseId: string, chain: SocketChain): Items {
  const items = chain.itemsOf(responseId);
  if (items !== null) return items;
  // In upstream's own words: clients that know them send everything again.
  const message = `Previous response with id '${responseId.slice(0, 80)}' not found.`;
  throw new AppError("previous_response_not_found", message, { facts: { param: "previous_response_id" } });
}

/** What stands between the brackets of `input`, where a text is one message; none when it is neither. */
function itemsIn({ bytes, members }: ScannedBody): Items {
  const input = findMember(members, "input");
  if (input === null) return [];
  if (isText(bytes, input)) return [withoutBrackets(inputFromText(bytes, input))];
  if (!isArray(bytes, input)) return [];
  const inner = withoutBrackets(bytes.subarray(input.valueStart, input.valueEnd));
  return isBlank(inner) ? [] : [inner];
}

function withoutBrackets(list: Uint8Array): Uint8Array {
  return list.subarray(1, -1);
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}

/**
 * With `items` for the empty list that is its input. They were read when they came: to find the members of a whole conversation once more would
 * cost more than the rest of its turn.
 */
function withItems({ bytes, members }: ScannedBody, items: Items): ScannedBody {
  const list = [OPEN, ...items.flatMap((item, index) => (index === 0 ? [item] : [COMMA, item])), CLOSE];
  const grown = list.reduce((sum, piece) => sum + piece.length, 0) - EMPTY_LIST.length;
  const parts: Uint8Array[] = [];
  let at = 0;
  let shift = 0;
  const moved = members.map(({ key, keyStart, valueStart, valueEnd }) => {
    const before = shift;
    if (key === "input") {
      parts.push(bytes.subarray(at, valueStart), ...list);
      at = valueEnd;
      shift += grown;
    }
    return { key, keyStart: keyStart + before, valueStart: valueStart + before, valueEnd: valueEnd + shift };
  });
  return { bytes: Buffer.concat([...parts, bytes.subarray(at)]), members: moved };
}

export function exchangeOf(visit: TurnVisit, { body, socket }: Asked): ExchangeRequest {
  if (visit.surface === "sdk") {
    const { bytes, members } = body;
    // Left out it would be answered at once, and nobody would ever find it again.
    if (readFlag(bytes, findMember(members, "background")) === true) {
      const words = "a background response is begun and fetched over HTTP (POST /v1/responses), not over a WebSocket";
      throw new AppError("unsupported_parameter", words, { facts: { param: "background" } });
    }
    const { exchange } = sdkTurn(visit, { bytes, plain: bytes }, body, sdkEvents(visit.nowMs));
    // Its items were brought into another form: what is sent is always the whole.
    return { ...exchange, socket: { ...socket, since: null }, statusForRefusals: false };
  }
  const { engine } = visit;
  const { bytes } = body;
  const headers = withTurnHeaders(visit.headers, body);
  const turn = codexTurn({ engine, headers }, { bytes, plain: bytes }, body);
  return {
    ...commonOf(visit, body),
    // The handshake comes before Codex has looked at the repository; the turn tells it.
    ...turnFacts((name) => headerValue(headers, name), body),
    // What is new alone says what its client asked: a request whose model stands for another goes whole.
    socket: turn.mapping === null || socket === null ? socket : { ...socket, since: null },
    ...turn,
    filter: pooledEvents(visit),
    // The events are read here, to be made frames of.
    unpack: true,
  };
}

/** Of the handshake alone, and of a request that comes as a frame. */
const HANDSHAKE: ReadonlySet<string> = new Set([
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "connection",
  "upgrade",
  "accept",
  "content-type",
  "content-encoding",
  // Its one value says that a WebSocket is spoken.
  "openai-beta",
]);

/** What of the handshake's header is every request's. */
export function requestHeaders(handshake: HeaderList): HeaderList {
  return [
    ...withoutHeaders(handshake, HANDSHAKE),
    ["accept", "text/event-stream"],
    ["content-type", "application/json"],
  ];
}

/** Members of `client_metadata` that are headers over HTTP (wire §3.4, §3.5): those of the handshake are older than this turn. */
const AS_HEADERS: readonly string[] = ["x-codex-turn-state", "x-codex-turn-metadata", "x-codex-window-id"];
const HEADER_PREFIX = "ws_request_header_";
const HEADER_VALUE = /^[\t\x20-\x7e]{1,16384}$/;
const HEADER_NAME = /^(?:x|openai)-[a-z0-9-]{1,100}$/;

function withTurnHeaders(headers: HeaderList, { bytes, members }: ScannedBody): HeaderList {
  const member = findMember(members, "client_metadata");
  const told = member === null ? null : viewObject(bytes, member);
  if (told === null) return headers;
  const fresh: (readonly [string, string])[] = [];
  for (const { key } of told.members) {
    const name = key.startsWith(HEADER_PREFIX) ? key.slice(HEADER_PREFIX.length).replaceAll("_", "-") : key;
    if (name === key && !AS_HEADERS.includes(key)) continue;
    const value = told.text(key);
    if (value !== null && HEADER_VALUE.test(value) && HEADER_NAME.test(name)) fresh.push([name, value]);
  }
  return fresh.length === 0 ? headers : [...withoutHeaders(headers, new Set(fresh.map(([name]) => name))), ...fresh];
}
