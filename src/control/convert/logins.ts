/**
 * Logins in the words of the API, and their methods back. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../domain/account.ts";
import type { Login, Workspace } from "../../domain/login.ts";
import * as loginPb from "../../gen/rotor/v1/login_service_pb.ts";
import type { Engine } from "../../pool/engine.ts";
import { accountConverter } from "./accounts.ts";
import { instant } from "./values.ts";

const LOGIN_METHODS: Readonly<Record<Login["method"], loginPb.LoginMethod>> = {
  browser: loginPb.LoginMethod.BROWSER,
  device: loginPb.LoginMethod.DEVICE,
  manual: loginPb.LoginMethod.MANUAL,
};

const LOGIN_STATES: Readonly<Record<Login["state"], loginPb.LoginState>> = {
  pending: loginPb.LoginState.PENDING,
  completed: loginPb.LoginState.COMPLETED,
  failed: loginPb.LoginState.FAILED,
  canceled: loginPb.LoginState.CANCELED,
  expired: loginPb.LoginState.EXPIRED,
};

export function toLoginMethod(method: loginPb.LoginMethod): Login["method"] {
  for (const [name, value] of Object.entries(LOGIN_METHODS)) if (value === method) return name as Login["method"];
  throw new AppError("invalid_request", "method says nothing; there are browser, device and manual");
}

/** With its account as that is now. */
export function loginMessage(
  login: Login,
  engine: Engine,
  nowMs: number,
): MessageInitShape<typeof loginPb.LoginSchema> {
  const account = login.accountId === null ? null : engine.accounts.get(login.accountId);
  return {
    id: login.id,
    method: LOGIN_METHODS[login.method],
    state: LOGIN_STATES[login.state],
    authorizeUrl: login.authorizeUrl ?? "",
    redirectUri: login.redirectUri ?? "",
    verificationUrl: login.verificationUrl ?? "",
    userCode: login.userCode ?? "",
    startTime: instant(login.startedAtMs),
    expireTime: instant(login.expiresAtMs),
    endTime: instant(login.endedAtMs),
    account: account === null ? undefined : accountConverter(engine, nowMs)(account),
    added: login.added,
    errorCode: login.error?.code ?? "",
    errorMessage: login.error?.message ?? "",
    otherWorkspaces: account === null ? [] : othersOf(login, account, engine),
  };
}

/** Workspaces that this person could be signed in to as well. */
function othersOf({ workspaces }: Login, { userId, issuer, workspaceId }: Account, engine: Engine): Workspace[] {
  const own = engine.accounts.list().filter((account) => account.userId === userId && account.issuer === issuer);
  const here = new Set([workspaceId, ...own.map((account) => account.workspaceId)]);
  return workspaces.filter(({ id }) => !here.has(id));
}
