/**
 * Background responses (`background: true`), for SDKs that poll: `POST /v1/responses` answers at once, `GET /v1/responses/ID` says how far it
 * is or streams it from any event on, `POST …/cancel` and `DELETE` end it. Only translates: what is kept, and how long, is
 * `pool/background-desk.ts`'s.
 */
import { AppError } from "../base/errors.ts";
import type { BackgroundOrder, BackgroundResponse } from "../pool/background-desk.ts";
import { exchangeHeader } from "./answer-headers.ts";
import { BackgroundWriter, canceledJson, queuedJson } from "./background-writer.ts";
import { findMember, readFlag } from "./json-members.ts";
import { type ScannedBody, textOf } from "./request-facts.ts";
import { sdkEvents } from "./sdk-events.ts";
import { type ReceivedTurn, sdkTurn } from "./turn.ts";
import type { Visit } from "./visit.ts";

export function wantsBackground({ bytes, members }: ScannedBody): boolean {
  return readFlag(bytes, findMember(members, "background")) === true;
}

/** Throws what `BackgroundDesk.start` does, and what a turn's request can be refused for. */
export function answerInBackground(visit: Visit, { body, scanned }: ReceivedTurn): Response {
  const { engine, keyId, nowMs } = visit;
  if (readFlag(scanned.bytes, findMember(scanned.members, "store")) === false) {
    const words = "a background response is kept until it is fetched: leave store out, or set it to true";
    throw new AppError("invalid_request", words, { facts: { param: "store" } });
  }
  const events = sdkEvents(nowMs);
  const { exchange, wantsStream } = sdkTurn(visit, body, scanned, events);
  const order: BackgroundOrder = {
    keyId,
    requestBytes: body.bytes.byteLength,
    first: (id, createdAtMs) => queuedJson(id, createdAtMs, textOf(scanned, "model")),
    async work(work) {
      const writer = new BackgroundWriter(work, nowMs);
      await writer.write(
        await engine.exchanges.run({
          ...exchange,
          id: work.exchangeId,
          signal: work.signal,
          filter: () => events(exchange.model),
        }),
      );
    },
  };
  const response = engine.background.start(order);
  return wantsStream ? streamed(response, -1) : told(response);
}

const PATH = /^(?:\/v1)?\/responses\/([^/]{1,200})(\/cancel)?$/;

/** A request about a response that was begun before. */
export function answerKept(visit: Visit): Response {
  const { request, engine, keyId, path, query, surface } = visit;
  const { method } = request;
  const [, id = "", act = ""] = PATH.exec(path) ?? [];
  const desk = engine.background;
  if (surface === "sdk" && id !== "") {
    if (method === "POST" && act === "/cancel") return told(desk.cancel(id, keyId, canceledJson));
    if (method === "GET" && act === "") return fetched(desk.get(id, keyId), new URLSearchParams(query));
    if (method === "DELETE" && act === "") {
      desk.remove(id, keyId);
      return Response.json({ id, object: "response", deleted: true });
    }
  }
  throw new AppError("route_not_found", "of a kept response there is GET, DELETE and POST …/cancel");
}

function fetched(response: BackgroundResponse, asked: URLSearchParams): Response {
  if (asked.get("stream") !== "true") return told(response);
  const after = Number(asked.get("starting_after") ?? -1);
  if (Number.isInteger(after)) return streamed(response, after);
  throw new AppError("invalid_request", "starting_after is the sequence_number of an event", {
    facts: { param: "starting_after" },
  });
}

function told(response: BackgroundResponse): Response {
  const headers: [string, string][] = [
    ["content-type", "application/json"],
    ["cache-control", "no-store"],
  ];
  headers.push([...exchangeHeader(response.exchangeId)]);
  return new Response(response.json as Uint8Array<ArrayBuffer>, { headers });
}

/** Every event after that number, those to come too. Who hangs up stops nothing. */
function streamed(response: BackgroundResponse, after: number): Response {
  const headers: [string, string][] = [
    ["content-type", "text/event-stream; charset=utf-8"],
    ["cache-control", "no-cache"],
  ];
  headers.push([...exchangeHeader(response.exchangeId)]);
  let at = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          // Taken before the look: a change in between is not missed.
          const change = response.changed();
          const event = response.events[at];
          if (event !== undefined) {
            at++;
            if (event.sequence <= after) continue;
            return controller.enqueue(event.bytes);
          }
          if (response.isOver) return controller.close();
          await change;
        }
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, { headers });
}
