/**
 * The simulator as a process of its own, and its control API: what a test orders of the upstream, and what the upstream saw.
 */
import { type RunOptions, type Started, startProcess } from "./processes.ts";

/** As the simulator records it; credentials are replaced before it is kept. */
export interface SeenRequest {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly account: string | null;
  readonly bodyBytes: number;
  readonly bodySha256: string;
  readonly body: Readonly<Record<string, unknown>> | null;
  readonly faults: readonly string[];
  readonly status: number | null;
  readonly end: "open" | "answered" | "client_closed" | "cut";
  readonly eventsSent: number;
}

export interface Fault {
  readonly at: string;
  readonly kind: string;
  readonly account?: string;
  readonly times?: number | "always";
  readonly point?: "opening" | "middle" | "end";
  readonly resetsInSeconds?: number;
}

export interface Upstream {
  readonly url: string;
  readonly issuer: string;
  /** One login of each account, as Codex keeps it in auth.json. */
  readonly logins: readonly unknown[];
  /** A further account, which Rotor does not have; its login as in auth.json. */
  addAccount(account: { alias: string; plan: string }): Promise<unknown>;
  /** Its access tokens count as expired from now on. */
  expireAccess(alias: string): Promise<void>;
  /** Plays the person who types a device code and agrees. */
  agree(userCode: string, alias: string): Promise<void>;
  fault(fault: Fault): Promise<void>;
  /** The account's five-hour window is full from now on. */
  exhaust(alias: string): Promise<void>;
  pace(change: Readonly<Record<string, number | null>>): Promise<void>;
  /** What came in for the model, in order. */
  responses(): Promise<readonly SeenRequest[]>;
  /** The same, once one of them is answered with output. */
  streaming(): Promise<readonly SeenRequest[]>;
  /** The same, once none of it (or of `which`) is under way any more: the end of a request is noted when its connection says so. */
  settled(which?: (request: SeenRequest) => boolean): Promise<readonly SeenRequest[]>;
  requests(): Promise<readonly SeenRequest[]>;
  process: Started;
}

/** Ten seconds in all. */
const LOOKS = 200;
const LOOK_PAUSE_MS = 50;

async function waitFor<T>(look: () => Promise<T>, isThere: (found: T) => boolean, failure: string): Promise<T> {
  for (let count = 0; count < LOOKS; count++) {
    const found = await look();
    if (isThere(found)) return found;
    await Bun.sleep(LOOK_PAUSE_MS);
  }
  throw new Error(failure);
}

export async function startUpstream(
  command: readonly string[],
  scenarioFile: string,
  options: RunOptions,
): Promise<Upstream> {
  const started = startProcess(
    [...command, "simulate", "--scenario", scenarioFile, "--port", "0", "--verbose"],
    options,
  );
  const [line] = await started.prints(/^\{"url":.*\}$/m);
  const ready = JSON.parse(line) as { url: string; issuer: string; accounts: unknown[] };
  const control = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${ready.issuer}/__sim/v1/${path}`, {
      method,
      headers: { "x-rotor-sim": "1" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`simulator: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const requests = async (query = "") =>
    (await control<{ requests: SeenRequest[] }>("GET", `requests${query}`)).requests;
  const responses = () => requests("?path=/backend-api/codex/responses");
  return {
    url: ready.url,
    issuer: ready.issuer,
    logins: ready.accounts,
    process: started,
    addAccount: async (account) => (await control<{ auth: unknown }>("POST", "accounts", account)).auth,
    expireAccess: async (alias) => void (await control("POST", `accounts/${alias}/expire-access`)),
    agree: async (userCode, account) => void (await control("POST", "device", { userCode, account })),
    fault: async (fault) => void (await control("POST", "faults", fault)),
    exhaust: async (alias) => void (await control("PATCH", `accounts/${alias}`, { usedPercent: { primary: 100 } })),
    pace: async (change) => void (await control("PATCH", "pacing", change)),
    requests: () => requests(),
    responses,
    streaming: () =>
      waitFor(responses, (seen) => seen.some((request) => request.eventsSent > 5), "no stream begins upstream"),
    settled: (which = () => true) =>
      waitFor(
        responses,
        (seen) => seen.filter(which).every(({ end }) => end !== "open"),
        "a request upstream does not end",
      ),
  };
}

/** `plus 429, pro 200`: who was asked and what came of it, in order. */
export function storyOf(seen: readonly SeenRequest[]): string {
  return seen.map((request) => `${request.account} ${request.status}`).join(", ");
}

export function headerOf(request: SeenRequest, name: string): string | null {
  return request.headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? null;
}
