/**
 * The control API, `/__sim/v1/…`: how a person or a test drives the simulator. Needs the header `x-rotor-sim: 1`, which no
 * web page can send without asking first. It changes the world; it never answers as upstream.
 */
import { formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { SimAccount } from "./accounts.ts";
import { readBucket } from "./allowance.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { controlClock } from "./control-clock.ts";
import { faultView, parseFault } from "./fault-book.ts";
import { FAULT_KINDS, FAULT_PLACES } from "./faults.ts";
import { headerOf } from "./http-request.ts";
import { asObject, asText, type JsonObject, tryParseJson } from "./json.ts";
import { errorUrl, readAuthorize, successUrl } from "./oauth-authorize.ts";
import type { OauthDesk } from "./oauth-desk.ts";
import { parseAccount, parseAccountChange, parseOauth, parsePacing, parseRecorder } from "./scenario.ts";
import { type AuthJson, authJsonOf } from "./token-vault.ts";
import type { Call, World } from "./world.ts";

export const CONTROL_PREFIX = "/__sim/v1/";

interface ControlCall {
  world: World;
  desk: OauthDesk;
  query: URLSearchParams;
  body: unknown;
  connections(): number;
}

export async function handleControl(call: Call, desk: OauthDesk, connections: () => number): Promise<void> {
  const { exchange, world } = call;
  const answer = controlAnswer(call, { world, desk, connections, query: exchange.request.query, body: null });
  await exchange.answer(answer.status, answer.headers, answer.body);
}

function controlAnswer(call: Call, control: ControlCall): Answer {
  const { request } = call.exchange;
  if (headerOf(request.headers, "x-rotor-sim") !== "1")
    return problem(403, "the control API needs the header `x-rotor-sim: 1`");
  if (request.body.length > 0) {
    control.body = tryParseJson(new TextDecoder().decode(request.body));
    if (control.body === undefined) return problem(400, "the body is not JSON");
  }
  try {
    const result = route(request.method, request.path.slice(CONTROL_PREFIX.length).split("/"), control);
    return result ?? problem(404, `no ${request.method} ${request.path}`);
  } catch (error) {
    if (error instanceof AppError) return problem(error.code === "account_not_found" ? 404 : 400, error.message);
    throw error;
  }
}

function problem(status: number, message: string): Answer {
  return jsonAnswer(status, { error: { message } });
}

function route(method: string, path: string[], control: ControlCall): Answer | null {
  const [noun, name, verb] = path.map(decodeURIComponent);
  switch (noun) {
    case "accounts":
      return name === undefined ? accountList(method, control) : oneAccount(method, name, verb, control);
    case "faults":
      return faults(method, name, control);
    case "clock":
      return controlClock(method, control.world, control.body);
    case "requests":
      return requests(method, control);
    case "pacing":
      return settings(method, control.world.pacing, () => parsePacing(control.body));
    case "oauth":
      return settings(method, control.world.oauth, () => parseOauth(control.body));
    case "recorder":
      return settings(method, control.world.recorder.settings, () => parseRecorder(control.body));
    case "counters":
      return method === "GET" ? jsonAnswer(200, counters(control)) : null;
    case "authorize":
      return method === "POST" ? authorize(control) : null;
    case "device":
      return method === "POST" ? approveDevice(control) : null;
    default:
      return null;
  }
}

function settings<T extends object>(method: string, current: T, parse: () => Partial<T>): Answer | null {
  if (method === "PATCH") Object.assign(current, parse());
  return method === "GET" || method === "PATCH" ? jsonAnswer(200, current) : null;
}

function findAccount(control: ControlCall, name: string): SimAccount {
  const account = control.world.roster.resolve(name);
  if (!account) throw new AppError("account_not_found", `no account ${name}`);
  return account;
}

function accountList(method: string, control: ControlCall): Answer | null {
  const { world } = control;
  if (method === "GET") return jsonAnswer(200, { accounts: world.roster.list().map((a) => accountView(a, world)) });
  if (method !== "POST") return null;
  const spec = parseAccount(control.body ?? {});
  if (spec.alias !== undefined && world.roster.find(spec.alias)) return problem(409, `alias ${spec.alias} is taken`);
  const account = world.roster.add(spec);
  return jsonAnswer(201, { account: accountView(account, world), auth: newLogin(account, world) });
}

function oneAccount(method: string, name: string, verb: string | undefined, control: ControlCall): Answer | null {
  const { world } = control;
  const account = findAccount(control, name);
  switch (`${method} ${verb ?? ""}`) {
    case "GET ":
      return jsonAnswer(200, accountView(account, world));
    case "PATCH ":
      world.roster.change(account, parseAccountChange(control.body));
      return jsonAnswer(200, accountView(account, world));
    // A new login, as auth.json.
    case "POST login":
      return jsonAnswer(200, newLogin(account, world));
    case "POST expire-access":
      world.vault.expireAccess(account);
      return jsonAnswer(200, accountView(account, world));
    case "POST revoke":
      world.vault.revokeAll(account);
      return jsonAnswer(200, accountView(account, world));
    default:
      return null;
  }
}

export function newLogin(account: SimAccount, world: World): AuthJson {
  const tokens = world.vault.login(account);
  return authJsonOf(account, tokens, world.issuer(), world.oauth.clientId, world.clock.nowMs());
}

function accountView(account: SimAccount, world: World): JsonObject {
  const nowMs = world.clock.nowMs();
  const { buckets, accessEpoch: _accessEpoch, ...plain } = account;
  const limits = buckets.map((bucket) => ({
    feature: bucket.feature,
    limitName: bucket.limitName,
    models: bucket.models,
    windows: readBucket(bucket, nowMs).map((reading, index) => ({
      slot: reading.slot,
      minutes: reading.minutes,
      usedPercent: reading.usedPercent,
      resetTime: formatInstant(reading.resetAtMs),
      unit: bucket.windows[index]!.unit,
      capacity: bucket.windows[index]!.capacity,
      used: bucket.windows[index]!.used,
    })),
  }));
  return { ...plain, limits };
}

function faults(method: string, id: string | undefined, control: ControlCall): Answer | null {
  const { faults: book } = control.world;
  if (id === "kinds" && method === "GET") return jsonAnswer(200, { places: FAULT_PLACES, kinds: FAULT_KINDS });
  if (id !== undefined) {
    if (method !== "DELETE") return null;
    return book.remove(id) ? jsonAnswer(200, {}) : problem(404, `no fault ${id}`);
  }
  switch (method) {
    case "GET":
      return jsonAnswer(200, { faults: book.list().map(faultView) });
    case "POST": {
      const parsed = parseFault(control.body);
      return parsed.ok ? jsonAnswer(201, faultView(book.add(parsed.spec))) : problem(400, parsed.problem);
    }
    case "DELETE":
      book.clear();
      return jsonAnswer(200, {});
    default:
      return null;
  }
}

function requests(method: string, control: ControlCall): Answer | null {
  const { recorder } = control.world;
  if (method === "DELETE") {
    recorder.clear();
    return jsonAnswer(200, {});
  }
  if (method !== "GET") return null;
  const { query } = control;
  const path = query.get("path");
  const account = query.get("account");
  const after = Number(query.get("after") ?? 0);
  const found = recorder
    .list()
    .filter(
      (record) =>
        record.id > after && (!path || record.path.endsWith(path)) && (!account || record.account === account),
    );
  return jsonAnswer(200, { requests: found });
}

function counters(control: ControlCall): JsonObject {
  const { world } = control;
  const accounts = Object.fromEntries(world.roster.list().map((account) => [account.alias, account.counters]));
  return { ...world.gauges, openConnections: control.connections(), accounts };
}

/** Plays the person at the consent page: `{url, account}` or `{url, error}` → where the browser would land. */
function authorize(control: ControlCall): Answer {
  const body = asObject(control.body);
  const url = asText(body?.url);
  if (url === null || !URL.canParse(url)) return problem(400, "`url` must be an authorize URL");
  const read = readAuthorize(new URL(url).searchParams, control.world.oauth);
  if (!read.ok) return problem(400, read.problem);
  const error = asText(body?.error);
  if (error !== null)
    return jsonAnswer(200, {
      redirectUrl: errorUrl(read.request.redirectUri, error, "The user said no", read.request.state),
    });
  const code = control.desk.grant(findAccount(control, asText(body?.account) ?? ""), read.request);
  return jsonAnswer(200, { redirectUrl: successUrl(read.request, code), code, state: read.request.state });
}

/** Plays the person at the device page: `{userCode, account}`, account null to refuse. */
function approveDevice(control: ControlCall): Answer {
  const body = asObject(control.body);
  const login = control.desk.deviceByCode(asText(body?.userCode) ?? "");
  if (!login) return problem(404, "no such user code");
  const name = asText(body?.account);
  login.approved = name === null ? null : findAccount(control, name);
  login.denied = login.approved === null;
  return jsonAnswer(200, { approved: login.approved !== null });
}
