/** LoginService (proto/rotor/v1/login_service.proto): translates and calls the login desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { LoginService, StartLoginRequest } from "../gen/rotor/v1/login_service_pb.ts";
import type { Engine, LoginRequest } from "../pool/engine.ts";
import { loginMessage, toLoginMethod } from "./convert/logins.ts";
import { toAccountId } from "./convert/values.ts";
import { changes } from "./watch.ts";

export function createLoginService(engine: () => Engine, clock: Clock): ServiceImpl<typeof LoginService> {
  const message = (login: ReturnType<Engine["logins"]["get"]>) => loginMessage(login, engine(), clock.nowMs());
  return {
    async startLogin(request) {
      return { login: message(await engine().logins.start(toLoginRequest(request))) };
    },
    async *watchLogin(request, context) {
      const id = toLoginId(request.loginId);
      const { logins } = engine();
      let shown: unknown = null;
      for await (const _ of changes(context, clock, (wake) => logins.watch(wake))) {
        const login = logins.get(id);
        // Others change too.
        if (login === shown) continue;
        shown = login;
        yield { login: message(login) };
        if (login.state !== "pending") return;
      }
    },
    async completeLogin(request) {
      return { login: message(await engine().logins.complete(toLoginId(request.loginId), request.callbackUrl)) };
    },
    async cancelLogin(request) {
      return { login: message(await engine().logins.cancel(toLoginId(request.loginId))) };
    },
    listLogins: () => ({ logins: engine().logins.list().map(message) }),
  };
}

/** The longest that an e-mail address may be (RFC 3696, erratum 1690, less brackets: 254; some count 320). */
const HINT_MAX_CHARACTERS = 320;

/** An id is a UUID or the like. */
const WORKSPACE_MAX_CHARACTERS = 128;

function toLoginRequest(request: StartLoginRequest): LoginRequest {
  const { alias, accountId, loginHint, workspaceId } = request;
  if (loginHint.length > HINT_MAX_CHARACTERS)
    throw new AppError("invalid_request", `login_hint has more than ${HINT_MAX_CHARACTERS} characters`);
  if (workspaceId.length > WORKSPACE_MAX_CHARACTERS)
    throw new AppError("invalid_request", `workspace_id has more than ${WORKSPACE_MAX_CHARACTERS} characters`);
  return {
    method: toLoginMethod(request.method),
    alias: alias === "" ? null : alias,
    accountId: accountId === "" ? null : toAccountId(accountId),
    loginHint: loginHint === "" ? null : loginHint,
    ...(workspaceId === "" ? {} : { workspaceId }),
  };
}

function toLoginId(text: string): string {
  if (text === "") throw new AppError("invalid_request", "login_id is empty");
  return text;
}
