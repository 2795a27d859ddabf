/**
 * What the issuer remembers between the steps of a login: authorization codes, open consent pages, browser sessions and
 * device logins. Knows nothing of HTTP.
 */
import { createHash } from "node:crypto";
import { randomToken } from "../base/id.ts";
import type { SimAccount } from "./accounts.ts";
import type { World } from "./world.ts";

export interface AuthorizeRequest {
  clientId: string;
  redirectUri: string;
  scope: string;
  state: string;
  challenge: string;
  loginHint: string | null;
  workspaceId: string | null;
  forceLogin: boolean;
}

export interface CodeGrant {
  account: SimAccount;
  clientId: string;
  redirectUri: string;
  scope: string;
  challenge: string;
  expiresAtMs: number;
}

export type CodeRefusal = "unknown" | "expired" | "redirect_uri" | "client_id" | "code_verifier";

export interface DeviceLogin {
  id: string;
  userCode: string;
  clientId: string;
  expiresAtMs: number;
  verifier: string;
  /** Null until a person approved; then what the next poll gets. */
  approved: SimAccount | null;
  denied: boolean;
}

export interface OauthDesk {
  grant(
    account: SimAccount,
    request: Pick<AuthorizeRequest, "clientId" | "redirectUri" | "scope" | "challenge">,
  ): string;
  /** Single use: a second try is `unknown`. */
  redeem(code: string, proof: { clientId: string; redirectUri: string; verifier: string }): CodeGrant | CodeRefusal;
  openPage(request: AuthorizeRequest): string;
  page(ticket: string): AuthorizeRequest | null;
  closePage(ticket: string): void;
  startSession(account: SimAccount): string;
  session(cookie: string): SimAccount | null;
  startDevice(clientId: string): DeviceLogin;
  deviceByCode(userCode: string): DeviceLogin | null;
  device(id: string): DeviceLogin | null;
  endDevice(login: DeviceLogin): void;
}

/** Ten minutes, the most that RFC 6749 §4.1.2 recommends. */
const CODE_LIFE_MS = 600_000;
/** Fifteen minutes, as the real device page says (wire reference §1.6). */
const DEVICE_LIFE_MS = 900_000;
/** Letters that a person cannot misread. */
const USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

export function createOauthDesk(world: Pick<World, "dice" | "clock">): OauthDesk {
  const { dice, clock } = world;
  const codes = new Map<string, CodeGrant>();
  const pages = new Map<string, AuthorizeRequest>();
  const sessions = new Map<string, SimAccount>();
  const devices = new Map<string, DeviceLogin>();
  return {
    grant(account, request) {
      const code = `ac_${randomToken(dice, 32)}`;
      const { clientId, redirectUri, scope, challenge } = request;
      codes.set(code, { account, clientId, redirectUri, scope, challenge, expiresAtMs: clock.nowMs() + CODE_LIFE_MS });
      return code;
    },
    redeem(code, proof) {
      const held = codes.get(code);
      if (!held) return "unknown";
      // Spent by the first try, good or bad: a code that leaked is of no further use.
      codes.delete(code);
      if (clock.nowMs() > held.expiresAtMs) return "expired";
      if (held.clientId !== proof.clientId) return "client_id";
      if (held.redirectUri !== proof.redirectUri) return "redirect_uri";
      return challengeOf(proof.verifier) === held.challenge ? held : "code_verifier";
    },
    openPage(request) {
      const ticket = randomToken(dice, 16);
      pages.set(ticket, request);
      return ticket;
    },
    page: (ticket) => pages.get(ticket) ?? null,
    closePage: (ticket) => void pages.delete(ticket),
    startSession(account) {
      const cookie = randomToken(dice, 16);
      sessions.set(cookie, account);
      return cookie;
    },
    session: (cookie) => sessions.get(cookie) ?? null,
    startDevice(clientId) {
      const letters = [...dice.bytes(8)].map((byte) => USER_CODE_LETTERS[byte % USER_CODE_LETTERS.length]!);
      const login: DeviceLogin = {
        id: `deviceauth_${randomToken(dice, 18)}`,
        userCode: `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`,
        clientId,
        expiresAtMs: clock.nowMs() + DEVICE_LIFE_MS,
        verifier: randomToken(dice, 64),
        approved: null,
        denied: false,
      };
      devices.set(login.id, login);
      return login;
    },
    deviceByCode: (userCode) =>
      [...devices.values()].find((login) => login.userCode === userCode.toUpperCase()) ?? null,
    device: (id) => devices.get(id) ?? null,
    endDevice: (login) => void devices.delete(login.id),
  };
}
