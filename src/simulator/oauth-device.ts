/**
 * The device login (wire reference §1.6): a code on the device, a page for the person, polling until they have agreed. The
 * PKCE verifier comes from this side.
 */
import { type Answer, errorAnswer, htmlAnswer, jsonAnswer } from "./answer.ts";
import { devicePage, messagePage } from "./html.ts";
import { headerOf } from "./http-request.ts";
import { asObject, asText, tryParseJson } from "./json.ts";
import { challengeOf, type DeviceLogin, type OauthDesk } from "./oauth-desk.ts";
import { serve, targetOf } from "./serve.ts";
import { DEFAULT_SCOPE } from "./token-vault.ts";
import type { Call } from "./world.ts";

export const DEVICE_PAGE_PATH = "/codex/device";
/** Seconds between polls, a text on the wire. */
const INTERVAL = "5";

export async function handleUserCode(call: Call, desk: OauthDesk): Promise<void> {
  await serve(call, targetOf("usercode", null), () => {
    const { world } = call;
    if (!world.oauth.deviceEnabled)
      return errorAnswer(404, { message: "Device code login is not enabled", code: "not_found" });
    const clientId = asText(bodyOf(call)?.client_id);
    if (clientId !== world.oauth.clientId)
      return errorAnswer(401, { message: "The client is not known.", code: "invalid_client" });
    const login = desk.startDevice(clientId);
    return jsonAnswer(200, {
      device_auth_id: login.id,
      user_code: login.userCode,
      interval: INTERVAL,
      expires_at: new Date(login.expiresAtMs).toISOString(),
    });
  });
}

export async function handleDeviceToken(call: Call, desk: OauthDesk): Promise<void> {
  await serve(call, targetOf("device_token", null), () => poll(call, desk));
}

function poll(call: Call, desk: OauthDesk): Answer {
  const body = bodyOf(call);
  const login = desk.device(asText(body?.device_auth_id) ?? "");
  if (!login || login.userCode !== asText(body?.user_code) || call.world.clock.nowMs() > login.expiresAtMs)
    return errorAnswer(404, { message: "Device authorization not found", code: "deviceauth_not_found" });
  if (login.denied) {
    desk.endDevice(login);
    return errorAnswer(400, { message: "The user said no", code: "access_denied" });
  }
  if (!login.approved)
    return errorAnswer(403, { message: "Device authorization is pending", code: "deviceauth_authorization_pending" });
  desk.endDevice(login);
  const challenge = challengeOf(login.verifier);
  const code = desk.grant(login.approved, {
    clientId: login.clientId,
    // As the client knows the issuer: something may stand between the two.
    redirectUri: `http://${headerOf(call.exchange.request.headers, "host")}/deviceauth/callback`,
    scope: DEFAULT_SCOPE,
    challenge,
  });
  return jsonAnswer(200, { authorization_code: code, code_challenge: challenge, code_verifier: login.verifier });
}

export async function handleDevicePage(call: Call, desk: OauthDesk): Promise<void> {
  const { request } = call.exchange;
  await serve(call, targetOf("authorize", null), () => {
    if (request.method === "GET") {
      const userCode = request.query.get("user_code") ?? "";
      return htmlAnswer(200, devicePage(DEVICE_PAGE_PATH, call.world.roster.list(), userCode));
    }
    const form = new URLSearchParams(new TextDecoder().decode(request.body));
    const login = desk.deviceByCode((form.get("user_code") ?? "").trim());
    const account = call.world.roster.find(form.get("account") ?? "");
    if (!login || call.world.clock.nowMs() > login.expiresAtMs)
      return htmlAnswer(400, messagePage("Wrong code", "The code is not known or too old."));
    return decide(login, account && form.get("action") === "allow" ? account : null);
  });
}

function decide(login: DeviceLogin, account: DeviceLogin["approved"]): Answer {
  login.approved = account;
  login.denied = account === null;
  return htmlAnswer(200, messagePage(account ? "Signed in" : "Refused", "You can close this page."));
}

function bodyOf(call: Call) {
  return asObject(tryParseJson(new TextDecoder().decode(call.exchange.request.body)));
}
