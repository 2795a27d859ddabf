/**
 * An issuer for logins that a test plays by hand, and a callback listener without a port. What it gives out is made of plain words, so
 * that a test can look for them where they must not be; it checks no proofs, which the simulator does.
 */
import { AppError } from "../../src/base/errors.ts";
import { Secret } from "../../src/base/secret.ts";
import type { Account } from "../../src/domain/account.ts";
import type { CallbackEnd, OpenCallbackListener } from "../../src/pool/callback-listener.ts";
import type { AuthorizeOptions, CodeGrant, DevicePoll, LoginIssuer, NewLogin } from "../../src/upstream/oauth-login.ts";
import { tokenFor } from "./tokens.ts";

export const NOT_YET: DevicePoll = { kind: "pending", slower: false, problem: null };
export const DEVICE_REDIRECT = "https://issuer.test/deviceauth/callback";

export interface FakeLoginIssuer extends LoginIssuer {
  readonly asked: AuthorizeOptions[];
  readonly grants: { code: string; verifier: string; redirectUri: string }[];
  /** What a code is good for: tokens, or an error that is thrown. A code that is not here is refused. */
  readonly codes: Map<string, NewLogin | AppError | Promise<NewLogin>>;
  /** Answers of the next polls; "not yet" when there are none left. */
  readonly polls: (DevicePoll | AppError)[];
  polled: number;
}

export function createFakeLoginIssuer(): FakeLoginIssuer {
  let states = 0;
  const fake: FakeLoginIssuer = {
    asked: [],
    grants: [],
    codes: new Map(),
    polls: [],
    polled: 0,
    authorize(options) {
      fake.asked.push(options);
      const n = ++states;
      const { redirectUri } = options;
      const url = `https://issuer.test/oauth/authorize?state=state-${n}&code_challenge=c`;
      return { url, state: `state-${n}`, redirectUri, verifier: new Secret(`verifier-${n}`) };
    },
    async exchange(grant: CodeGrant, signal) {
      const { redirectUri } = grant;
      const code = grant.code.reveal();
      fake.grants.push({ code, verifier: grant.verifier.reveal(), redirectUri });
      const stopped = new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(new AppError("upstream_unreachable", "stopped")), { once: true }),
      );
      stopped.catch(() => {});
      const found = await Promise.race([fake.codes.get(code), stopped]);
      if (found instanceof AppError) throw found;
      if (found === undefined) throw new AppError("login_refused", "the issuer answered 400: invalid_grant");
      return found;
    },
    async startDevice() {
      const n = ++states;
      return {
        id: new Secret(`device-${n}`),
        userCode: `ABCD-000${n}`,
        verificationUrl: "https://issuer.test/codex/device",
        intervalMs: 5_000,
      };
    },
    async pollDevice() {
      fake.polled++;
      const next = fake.polls.shift() ?? NOT_YET;
      if (next instanceof AppError) throw next;
      return next;
    },
  };
  return fake;
}

/** Tokens of a person who has just signed in as the owner of `account`. */
export function newLoginOf(account: Account, expiresAtMs: number, mark = "fresh"): NewLogin {
  const { userId, workspaceId, email, tier } = account;
  return {
    credentials: {
      accessToken: tokenFor(account, expiresAtMs, mark),
      refreshToken: `refresh-${account.alias}-${mark}`,
      idToken: null,
    },
    claims: { userId, workspaceId, email, tier, expiresAtMs },
  };
}

export function approved(code: string): DevicePoll {
  return {
    kind: "approved",
    grant: { code: new Secret(code), verifier: new Secret("verifier-device"), redirectUri: DEVICE_REDIRECT },
  };
}

export interface FakeCallbackDoor {
  readonly open: OpenCallbackListener;
  /** What the listener does now: true between opening and closing. */
  isOpen(): boolean;
  opened(): number;
  /** The next opening finds its ports taken. */
  taken: boolean;
  /** A browser arrives. */
  visit(query: Record<string, string>): Promise<CallbackEnd>;
}

export function createFakeCallbackDoor(): FakeCallbackDoor {
  let handler: ((query: URLSearchParams) => Promise<CallbackEnd>) | null = null;
  let opened = 0;
  const door: FakeCallbackDoor = {
    taken: false,
    isOpen: () => handler !== null,
    opened: () => opened,
    open(onCallback) {
      if (door.taken) throw new AppError("address_in_use", "taken");
      if (handler !== null) throw new Error("opened twice");
      handler = onCallback;
      opened++;
      return {
        redirectUri: "http://127.0.0.1:1457/auth/callback",
        close() {
          if (handler === null) throw new Error("closed twice");
          handler = null;
        },
      };
    },
    visit(query) {
      if (handler === null) throw new Error("nobody listens");
      return handler(new URLSearchParams(query));
    },
  };
  return door;
}
