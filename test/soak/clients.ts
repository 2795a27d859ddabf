/**
 * The clients of a soak: each does one thing the way its kind does it, often to the end and sometimes not, and says what it got. What is
 * counted of a turn is what Rotor must have noted.
 */
import { eventsOf } from "../daemon/support/client.ts";
import { sendRaw } from "../daemon/support/raw-http.ts";
import type { Chance } from "../daemon/support/seed.ts";
import { within } from "../daemon/support/until.ts";
import { openSocket } from "../support/ws-client.ts";

export interface ClientSeat {
  readonly url: string;
  readonly key: string;
  readonly chance: Chance;
  /** A conversation that goes on, or null. */
  readonly session: string;
}

/** What became of one deed. */
export interface Deed {
  /** `codex 200 completed`, `socket closed 1011`, … */
  readonly got: string;
  readonly certainTurns: number;
  readonly uncertainTurns: number;
}

export type Client = (seat: ClientSeat) => Promise<Deed>;

/** Far beyond every time-out of Rotor's and every wait: whatever takes longer hangs. */
const HANG_MS = 120_000;
const one = (got: string): Deed => ({ got, certainTurns: 1, uncertainTurns: 0 });
const unsure = (got: string): Deed => ({ got, certainTurns: 0, uncertainTurns: 1 });
const noTurn = (got: string): Deed => ({ got, certainTurns: 0, uncertainTurns: 0 });

const item = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const say = (chance: Chance) => `say ${"soak ".repeat(chance.between(1, 60))}`;
const codexBody = (input: unknown[]) => ({ model: "gpt-5.5", instructions: "", input, stream: true, store: false });

function headersOf({ key, session }: ClientSeat, more: Record<string, string> = {}): Record<string, string> {
  return { authorization: `Bearer ${key}`, "content-type": "application/json", "session-id": session, ...more };
}

/** One request to its end, or hung up after some bytes of it. */
async function ask(seat: ClientSeat, kind: string, path: string, body: object, more = {}): Promise<Deed> {
  const leaves = seat.chance.fraction() < 0.12;
  const after = seat.chance.between(1, 6_000);
  const request = sendRaw(seat.url + path, { headers: headersOf(seat, more), body: JSON.stringify(body) });
  if (leaves) return leave(request, kind, after);
  const got = await within(request.received, `${kind} ${path}`, HANG_MS);
  const end = got.headers.get("content-type")?.startsWith("text/event-stream")
    ? (eventsOf(got.text).at(-1)?.type ?? (got.text.includes("[DONE]") ? "done" : "nothing"))
    : (codeIn(got.text) ?? "object");
  const words = `${kind} ${got.status} ${end}${got.whole ? "" : " broken"}`;
  return got.headers.get("x-rotor-exchange") === null ? unsure(words) : one(words);
}

async function leave(request: ReturnType<typeof sendRaw>, kind: string, after: number): Promise<Deed> {
  let isOver = false;
  const over = request.received.then(
    () => "ended",
    () => "refused",
  );
  void over.then(() => (isOver = true));
  while (!isOver && request.bytesRead() < after) await Bun.sleep(2);
  request.hangUp();
  return unsure(`${kind} left, ${await over}`);
}

function codeIn(text: string): string | null {
  try {
    const { error, status } = JSON.parse(text) as { error?: { code?: string; type?: string } | null; status?: string };
    return error ? (error.code ?? error.type ?? "error") : (status ?? null);
  } catch {
    return text === "" ? "empty" : "not_json";
  }
}

const codex: Client = (seat) =>
  ask(seat, "codex", "/backend-api/codex/responses", codexBody([item(say(seat.chance))]), { originator: "codex_exec" });

const codexPacked: Client = async (seat) => {
  const body = Bun.zstdCompressSync(JSON.stringify(codexBody([item(say(seat.chance))])));
  const headers = headersOf(seat, { originator: "codex_exec", "content-encoding": "zstd" });
  const answer = await within(
    fetch(`${seat.url}/backend-api/codex/responses`, { method: "POST", headers, body }).then(async (got) => {
      await got.arrayBuffer();
      return got;
    }),
    "codex, packed",
    HANG_MS,
  );
  return one(`packed ${answer.status}`);
};

const sdk: Client = (seat) => {
  const stream = seat.chance.fraction() < 0.5;
  return ask(seat, stream ? "sdk stream" : "sdk", "/v1/responses", {
    model: "gpt-5.5",
    input: say(seat.chance),
    stream,
  });
};

const chat: Client = (seat) => {
  const stream = seat.chance.fraction() < 0.5;
  const messages = [{ role: "user", content: say(seat.chance) }];
  return ask(seat, stream ? "chat stream" : "chat", "/v1/chat/completions", { model: "gpt-5.5", messages, stream });
};

/** Several turns on one socket, each referring to the one before. */
const socket: Client = async (seat) => {
  const headers = { authorization: `Bearer ${seat.key}`, originator: "codex_exec", "session-id": seat.session };
  const connection = await openSocket(`${seat.url}/backend-api/codex/responses`, headers);
  const turns = seat.chance.between(1, 5);
  const leavesIn = seat.chance.fraction() < 0.15 ? seat.chance.between(1, turns) : 0;
  let previous: string | null = null;
  let done = 0;
  try {
    for (let turn = 1; turn <= turns; turn++) {
      const since = previous === null ? {} : { previous_response_id: previous };
      connection.send({ type: "response.create", ...codexBody([item(say(seat.chance))]), ...since });
      if (turn === leavesIn) {
        await within(connection.next(), "a first frame", HANG_MS);
        return { got: "socket left", certainTurns: done, uncertainTurns: 1 };
      }
      const frames = await within(connection.answer(), "an answer on a socket", HANG_MS);
      done++;
      const last = frames.at(-1)!;
      if (last.type !== "response.completed") {
        const { code, type } = (last.error ?? {}) as { code?: string; type?: string };
        const told = last.type === "error" ? `error ${last.status} ${code ?? type}` : last.type;
        return { got: `socket ${told}`, certainTurns: done, uncertainTurns: 0 };
      }
      previous = (last.response as { id: string }).id;
    }
    return { got: "socket completed", certainTurns: done, uncertainTurns: 0 };
  } catch (error) {
    const { code } = await within(connection.closed, "the close of a socket", HANG_MS);
    if (code !== 1011 && code !== 1001 && code !== 1006) throw error;
    return { got: `socket closed ${code}`, certainTurns: done, uncertainTurns: 1 };
  } finally {
    connection.close();
  }
};

/** Begun, looked at, sometimes canceled, removed. */
const background: Client = async (seat) => {
  const call = (method: string, path: string, body?: object) =>
    within(
      sendRaw(seat.url + path, { method, headers: headersOf(seat), ...(body ? { body: JSON.stringify(body) } : {}) })
        .received,
      `background ${method}`,
      HANG_MS,
    );
  const begun = await call("POST", "/v1/responses", { model: "gpt-5.5", input: say(seat.chance), background: true });
  if (begun.status !== 200) return unsure(`background ${begun.status} ${codeIn(begun.text)}`);
  const { id } = JSON.parse(begun.text) as { id: string };
  const cancels = seat.chance.fraction() < 0.2;
  if (cancels) await call("POST", `/v1/responses/${id}/cancel`);
  for (;;) {
    const got = await call("GET", `/v1/responses/${id}`);
    // Gone with the daemon that had it.
    if (got.status === 404) return unsure("background gone");
    const { status } = JSON.parse(got.text) as { status: string };
    if (status !== "queued" && status !== "in_progress") {
      if (seat.chance.fraction() < 0.5) await call("DELETE", `/v1/responses/${id}`);
      // One that is canceled before it was begun never was a turn.
      return cancels ? unsure(`background ${status}`) : one(`background ${status}`);
    }
    await Bun.sleep(25);
  }
};

const lists: Client = async (seat) => {
  const path = seat.chance.pick(["/v1/models", "/backend-api/codex/models", "/backend-api/wham/usage", "/ready"]);
  const got = await within(
    sendRaw(seat.url + path, { method: "GET", headers: headersOf(seat) }).received,
    path,
    HANG_MS,
  );
  return noTurn(`list ${got.status}`);
};

/** What must be refused, and cost nobody anything. */
const wrong: Client = async (seat) => {
  const path = seat.chance.pick(["/v1/responses", "/v1/chat/completions", "/backend-api/codex/responses"]);
  const bodies = ['{"model":', "[1,2", "null", '{"model":"gpt-5.5","input":{}}'];
  const key: Record<string, string> = seat.chance.fraction() < 0.5 ? {} : { authorization: "Bearer nobody" };
  const body = seat.chance.pick(bodies);
  const got = await within(
    sendRaw(seat.url + path, { headers: headersOf(seat, key), body }).received,
    "nonsense",
    HANG_MS,
  );
  const words = `nonsense ${got.status}`;
  return got.headers.get("x-rotor-exchange") === null ? noTurn(words) : one(words);
};

/** How often each kind comes, of a hundred. */
export const MIX: readonly (readonly [Client, number])[] = [
  [codex, 26],
  [codexPacked, 6],
  [sdk, 20],
  [chat, 16],
  [socket, 16],
  [background, 6],
  [lists, 6],
  [wrong, 4],
];

export function pickClient(chance: Chance): Client {
  let left = chance.fraction() * 100;
  for (const [client, share] of MIX) {
    left -= share;
    if (left < 0) return client;
  }
  return MIX[0]![0];
}
