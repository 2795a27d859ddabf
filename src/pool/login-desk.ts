/**
 * Logins in progress: each waits for a person, then becomes an account or says why not. In memory only: a login that a restart cuts
 * short is begun anew. Logs transitions by id; never an address, a code, a token or an e-mail address.
 */
import { LOGINS_ENDED_MAX, LOGINS_OPEN_MAX } from "../base/bounds.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { createUlid, type Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { OWNED_HERE } from "../domain/account.ts";
import type { Actor } from "../domain/audit.ts";
import type { Login } from "../domain/login.ts";
import { readCallback } from "../upstream/oauth-callback.ts";
import {
  type Authorization,
  CALLBACK_PORTS,
  type CodeGrant,
  callbackUri,
  type DeviceAuthorization,
  type LoginIssuer,
} from "../upstream/oauth-login.ts";
import { adoptLogin, checkAlias, type IntakeDeps } from "./account-intake.ts";
import { readCallbackAddress } from "./callback-address.ts";
import type { CallbackEnd, CallbackListener, OpenCallbackListener } from "./callback-listener.ts";
import type { LoginDesk, LoginRequest } from "./engine.ts";
import type { Scheduler } from "./scheduler.ts";
import type { WorkspaceReader } from "./workspace-reader.ts";

export interface LoginDeskDeps extends IntakeDeps {
  readonly loginIssuer: LoginIssuer;
  readonly openCallbackListener: OpenCallbackListener;
  readonly workspaces: Pick<WorkspaceReader, "learn">;
  readonly scheduler: Scheduler;
  readonly log: Log;
}

export interface ClosableLoginDesk extends LoginDesk {
  /** Calls off what waits; a login whose tokens are on their way to the disk gets there. */
  close(): Promise<void>;
}

/** As long as the issuer's device page gives (wire §1.6); a browser login that takes longer was forgotten. */
const OPEN_FOR_MS = 15 * 60_000;
const REMEMBERED_FOR_MS = 3_600_000;
/** RFC 8628 §3.5. */
const SLOWER_BY_MS = 5_000;

/** What of a login nobody outside may see. */
interface Flow {
  login: Login;
  readonly request: LoginRequest;
  /** Whoever began it: what comes of it is theirs, whatever brings it back. */
  readonly actor: Actor;
  /** null for a device login. */
  readonly authorization: Authorization | null;
  /** Ends whatever it has under way at the issuer. */
  readonly abort: AbortController;
  /** The one exchange of its code; whoever hands the code in again gets the same end. */
  settling: Promise<void> | null;
  /** Its tokens are on their way to the disk: too late to call it off. */
  isAdopting: boolean;
  /** Why the last look at the issuer was no plain "not yet". */
  problem: string | null;
}

export function createLoginDesk(deps: LoginDeskDeps): ClosableLoginDesk {
  const { keeper, loginIssuer, scheduler, clock, log } = deps;
  /** In the order in which they began. */
  const flows = new Map<string, Flow>();
  const watchers = new Set<() => void>();
  const stopping = new AbortController();
  let beginning = 0;
  let listener: CallbackListener | null = null;

  const announce = () => {
    for (const onChange of watchers) onChange();
  };
  const isOpen = (flow: Flow) => flow.login.state === "pending";
  const openFlows = () => [...flows.values()].filter(isOpen);
  const find = (id: string) => {
    const flow = flows.get(id);
    if (flow === undefined) throw new AppError("login_not_found", `there is no login ${id}`, { facts: { login: id } });
    return flow;
  };
  const forget = (flow: Flow) => {
    scheduler.drop(`login.${flow.login.id}`);
    flows.delete(flow.login.id);
    announce();
  };

  const end = (flow: Flow, change: Partial<Login> & Pick<Login, "state">) => {
    if (!isOpen(flow)) return;
    flow.login = { ...flow.login, ...change, endedAtMs: clock.nowMs() };
    const { id, state, error, accountId } = flow.login;
    flow.abort.abort();
    const alias = accountId === null ? undefined : keeper.get(accountId)?.alias;
    log.info(`login.${state}`, { login: id, account: alias, code: error?.code, message: error?.message });
    scheduler.at(`login.${id}`, clock.nowMs() + REMEMBERED_FOR_MS, () => forget(flow));
    const ended = [...flows.values()].filter((one) => !isOpen(one));
    for (const old of ended.slice(0, Math.max(0, ended.length - LOGINS_ENDED_MAX))) forget(old);
    if (listener !== null && !openFlows().some(needsListener)) {
      listener.close();
      listener = null;
    }
    announce();
  };
  const fail = (flow: Flow, thrown: unknown) => {
    const error = fromUnknown(thrown);
    if (error.code === "internal") log.error("login.broke", { login: flow.login.id, cause: error.cause ?? error });
    end(flow, { state: "failed", error: { code: error.code, message: error.message } });
  };
  const expire = (flow: Flow) => {
    // Somebody did finish it: the exchange, which is bounded itself, says how it ends.
    if (flow.settling !== null) return;
    const why = flow.problem === null ? "" : ` (${flow.problem})`;
    const message = `nobody finished it within ${OPEN_FOR_MS / 60_000} minutes${why}`;
    end(flow, { state: "expired", error: { code: "login_expired", message } });
  };

  const settle = (flow: Flow, grant: CodeGrant): Promise<void> => {
    flow.settling ??= (async () => {
      try {
        const found = await loginIssuer.exchange(grant, flow.abort.signal);
        if (!isOpen(flow)) return;
        flow.isAdopting = true;
        const wish = { ...flow.request, owner: OWNED_HERE };
        const { account, added } = await deps.audit.as(flow.actor, () =>
          adoptLogin(deps, { ...found, refreshedAtMs: null }, wish),
        );
        const workspaces = await deps.workspaces.learn(account.id, flow.abort.signal);
        end(flow, { state: "completed", accountId: account.id, added, workspaces });
      } catch (thrown) {
        fail(flow, thrown);
      }
    })();
    return flow.settling;
  };

  /** A callback that has found its login. */
  const takeCallback = async (flow: Flow, authorization: Authorization, query: URLSearchParams) => {
    const callback = readCallback(query);
    if (callback === null || !isOpen(flow)) return;
    // A page that was loaded again, or an address handed in twice.
    if (flow.settling !== null) return flow.settling;
    const { answer } = callback;
    if (answer.kind === "refused")
      return fail(flow, new AppError("login_refused", `the sign-in was refused: ${answer.message}`));
    const { verifier, redirectUri } = authorization;
    await settle(flow, { code: answer.code, verifier, redirectUri });
  };
  const onCallback = async (query: URLSearchParams): Promise<CallbackEnd> => {
    const callback = readCallback(query);
    if (callback === null) return { kind: "malformed" };
    const flow = [...flows.values()].find((one) => one.authorization?.state === callback.state);
    if (flow === undefined) {
      log.warn("login.state_mismatched");
      return { kind: "state_mismatch" };
    }
    await takeCallback(flow, flow.authorization!, query);
    const { accountId } = flow.login;
    return callbackEnd(flow.login, accountId === null ? null : (keeper.get(accountId)?.alias ?? null));
  };

  /** Asks the issuer until somebody has typed the code, or the login has ended otherwise. */
  const poll = async (flow: Flow, device: DeviceAuthorization) => {
    let pauseMs = device.intervalMs;
    try {
      while (isOpen(flow)) {
        await clock.sleep(pauseMs, flow.abort.signal);
        const seen = await loginIssuer.pollDevice(device, flow.abort.signal);
        if (seen.kind === "approved") return void (await settle(flow, seen.grant));
        flow.problem = seen.problem;
        if (seen.slower) pauseMs += SLOWER_BY_MS;
      }
    } catch (thrown) {
      // Ended meanwhile: the sleep was cut short.
      if (isOpen(flow)) fail(flow, thrown);
    }
  };

  const authorize = (request: LoginRequest): Authorization => {
    if (request.method === "browser") listener ??= deps.openCallbackListener(onCallback);
    const redirectUri = request.method === "browser" ? listener!.redirectUri : callbackUri(CALLBACK_PORTS[0]!);
    const email = request.accountId === null ? null : keeper.require(request.accountId).email;
    return loginIssuer.authorize({
      redirectUri,
      // A browser that is signed in would hand over the same account once more, without a word.
      askWho: keeper.accounts().length > 0,
      loginHint: request.loginHint ?? email,
      workspaceId: request.workspaceId,
    });
  };
  const begin = async (request: LoginRequest): Promise<Flow> => {
    const isDevice = request.method === "device";
    const actor = deps.audit.actor();
    const device = isDevice ? await loginIssuer.startDevice(stopping.signal) : null;
    if (stopping.signal.aborted) throw new AppError("not_ready", "the daemon is stopping");
    // From here to the entry in the book without a pause: a login that ends meanwhile would close the listener.
    const flow = newFlow(clock.nowMs(), deps.dice, {
      request,
      actor,
      device,
      authorization: isDevice ? null : authorize(request),
    });
    const { id, expiresAtMs } = flow.login;
    flows.set(id, flow);
    scheduler.at(`login.${id}`, expiresAtMs, () => expire(flow));
    if (device !== null) void poll(flow, device);
    return flow;
  };
  const checkRequest = ({ alias, accountId }: LoginRequest) => {
    if (stopping.signal.aborted) throw new AppError("not_ready", "the daemon is stopping");
    if (accountId !== null) {
      const account = keeper.require(accountId);
      if (account.issuer !== deps.issuerUrl) {
        const message = `${account.alias} belongs to the issuer ${account.issuer}, but ${deps.issuerUrl} is configured`;
        throw new AppError("issuer_mismatch", message);
      }
    } else if (alias !== null) checkAlias(keeper, alias, null);
    if (openFlows().length + beginning >= LOGINS_OPEN_MAX) {
      const message = `${LOGINS_OPEN_MAX} logins are open already; finish or cancel one`;
      throw new AppError("too_many_logins", message, { facts: { open: LOGINS_OPEN_MAX } });
    }
  };
  const cancel = async (flow: Flow) => {
    if (flow.isAdopting) await flow.settling;
    end(flow, { state: "canceled" });
  };

  return {
    async start(request) {
      checkRequest(request);
      beginning++;
      const flow = await begin(request).finally(() => beginning--);
      log.info("login.started", { login: flow.login.id, method: request.method });
      announce();
      return flow.login;
    },
    async complete(id, callbackUrl) {
      const flow = find(id);
      const query = readCallbackAddress(callbackUrl, flow.authorization?.state ?? null);
      refuseEnded(flow.login);
      await takeCallback(flow, flow.authorization!, query);
      return flow.login;
    },
    async cancel(id) {
      const flow = find(id);
      await cancel(flow);
      return flow.login;
    },
    get: (id) => find(id).login,
    list: () => [...flows.values()].map((flow) => flow.login).reverse(),
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    async close() {
      stopping.abort();
      await Promise.all(openFlows().map(cancel));
    },
  };
}

function newFlow(
  nowMs: number,
  dice: Dice,
  how: { request: LoginRequest; actor: Actor; authorization: Authorization | null; device: DeviceAuthorization | null },
): Flow {
  const { request, actor, authorization, device } = how;
  const login: Login = {
    id: createUlid(nowMs, dice),
    method: request.method,
    state: "pending",
    authorizeUrl: authorization?.url ?? null,
    redirectUri: authorization?.redirectUri ?? null,
    verificationUrl: device?.verificationUrl ?? null,
    userCode: device?.userCode ?? null,
    startedAtMs: nowMs,
    expiresAtMs: nowMs + OPEN_FOR_MS,
    endedAtMs: null,
    accountId: null,
    ...{ added: false, workspaces: [], error: null },
  };
  const abort = new AbortController();
  return { login, request, actor, authorization, abort, settling: null, isAdopting: false, problem: null };
}

const needsListener = ({ login }: Flow): boolean => login.method === "browser";

/** A login that is done takes its callback a second time without complaint; one that ended otherwise does not. */
function refuseEnded({ id, state, error }: Login): void {
  if (state === "pending" || state === "completed") return;
  if (state === "expired") throw new AppError("login_expired", error!.message, { facts: { login: id } });
  throw new AppError("invalid_callback", `this login has ${state} already; begin a new one`, { hint: "rotor login" });
}

function callbackEnd(login: Login, alias: string | null): CallbackEnd {
  if (login.state === "completed") return { kind: "completed", alias, added: login.added };
  const words: Readonly<Record<string, string>> = { canceled: "this login was called off" };
  return { kind: "failed", message: login.error?.message ?? words[login.state] ?? "this login is still open" };
}
