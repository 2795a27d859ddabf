/**
 * Logins in memory for tests of the doors: they begin, end as the test says, and are announced. No issuer is asked, so it cannot show
 * whether an address that is handed in belongs to the login.
 */
import { AppError } from "../../src/base/errors.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { Login } from "../../src/domain/login.ts";
import type { LoginDesk, LoginRequest } from "../../src/pool/engine.ts";

export interface FakeLogins extends LoginDesk {
  /** What was asked for, in order. */
  readonly requests: LoginRequest[];
  /** Thrown by the next start. */
  nextFailure: unknown;
  /** Changes a login and tells watchers. */
  change(id: string, change: Partial<Login>): void;
  watchers(): number;
}

const OPEN_FOR_MS = 900_000;

export function createFakeLogins(nowMs: () => number): FakeLogins {
  const logins = new Map<string, Login>();
  const listeners = new Set<() => void>();
  const find = (id: string): Login => {
    const login = logins.get(id);
    if (login === undefined) throw new AppError("login_not_found", `there is no login ${id}`);
    return login;
  };
  const put = (login: Login): Login => {
    logins.set(login.id, login);
    for (const tell of listeners) tell();
    return login;
  };
  const fake: FakeLogins = {
    requests: [],
    nextFailure: null,
    watchers: () => listeners.size,
    change: (id, change) => void put({ ...find(id), ...change }),
    async start(request) {
      fake.requests.push(request);
      const failure = fake.nextFailure;
      fake.nextFailure = null;
      if (failure !== null) throw failure;
      const number = logins.size + 1;
      const isDevice = request.method === "device";
      return put({
        id: `01LOGIN${String(number).padStart(19, "0")}`,
        method: request.method,
        state: "pending",
        authorizeUrl: isDevice ? null : `https://auth.example.org/oauth/authorize?state=${number}`,
        redirectUri: isDevice ? null : "http://127.0.0.1:1455/auth/callback",
        verificationUrl: isDevice ? "https://auth.example.org/codex/device" : null,
        userCode: isDevice ? `ABCD-000${number}` : null,
        startedAtMs: nowMs(),
        expiresAtMs: nowMs() + OPEN_FOR_MS,
        endedAtMs: null,
        accountId: null,
        added: false,
        workspaces: [],
        error: null,
      });
    },
    async complete(id, callbackUrl) {
      const login = find(id);
      const accountId = new URLSearchParams(new URL(callbackUrl).search).get("code");
      if (accountId === null) throw new AppError("invalid_callback", "there is no code");
      return put({
        ...login,
        state: "completed",
        endedAtMs: nowMs(),
        accountId: accountId as AccountId,
        added: true,
      });
    },
    async cancel(id) {
      const login = find(id);
      return login.state === "pending" ? put({ ...login, state: "canceled", endedAtMs: nowMs() }) : login;
    },
    get: find,
    list: () => [...logins.values()].reverse(),
    watch(onChange) {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },
  };
  return fake;
}
