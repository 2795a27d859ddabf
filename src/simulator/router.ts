/**
 * Which handler answers which path. Also the guard at the door: only loopback names as Host, no foreign Origin.
 */
import { createHttpGuard } from "../base/http-guard.ts";
import { ACCOUNT_ROUTES, handleAccountRoute } from "./account-routes.ts";
import { detailAnswer, NOT_FOUND } from "./answer.ts";
import { CONTROL_PREFIX, handleControl } from "./control.ts";
import type { Exchange } from "./http-exchange.ts";
import { CONSENT_PATH, handleAuthorize, handleConsent } from "./oauth-authorize.ts";
import { createOauthDesk } from "./oauth-desk.ts";
import { DEVICE_PAGE_PATH, handleDevicePage, handleDeviceToken, handleUserCode } from "./oauth-device.ts";
import { handleRevoke, handleToken } from "./oauth-token.ts";
import { handleCompact, handleResponses, type PromptCache } from "./responses.ts";
import { handleUpgrade } from "./responses-socket.ts";
import { sendAnswer } from "./serve.ts";
import type { Call, World } from "./world.ts";

type Handler = (call: Call) => Promise<void>;

/** The two prefixes under which the backend answers; the second is what clients use for a base without `/backend-api`. */
const BACKEND = "/backend-api";
const CODEX_API = "/api/codex";

export function createRouter(world: World, connections: () => number): (exchange: Exchange) => Promise<void> {
  const desk = createOauthDesk(world);
  const cache: PromptCache = new Map();
  const guard = createHttpGuard();
  const isStranger = (fields: Exchange["request"]["headers"]) => {
    const headers = new Headers(fields);
    return guard.refuse(headers.get("host"), headers.get("origin")) !== null;
  };
  const routes: Readonly<Record<string, Handler>> = {
    "GET /oauth/authorize": (call) => handleAuthorize(call, desk),
    [`POST ${CONSENT_PATH}`]: (call) => handleConsent(call, desk),
    "POST /oauth/token": (call) => handleToken(call, desk),
    "POST /oauth/revoke": handleRevoke,
    "POST /api/accounts/deviceauth/usercode": (call) => handleUserCode(call, desk),
    "POST /api/accounts/deviceauth/token": (call) => handleDeviceToken(call, desk),
    [`GET ${DEVICE_PAGE_PATH}`]: (call) => handleDevicePage(call, desk),
    [`POST ${DEVICE_PAGE_PATH}`]: (call) => handleDevicePage(call, desk),
    [`POST ${BACKEND}/codex/responses`]: (call) => handleResponses(call, cache),
    [`POST ${BACKEND}/codex/responses/compact`]: handleCompact,
    [`GET ${BACKEND}/codex/responses`]: (call) => handleUpgrade(call, cache),
  };
  return async (exchange) => {
    const { request } = exchange;
    if (request.path.startsWith(CONTROL_PREFIX)) {
      const call = { world, exchange, record: world.recorder.unkept(request, world.clock.nowMs()) };
      return isStranger(request.headers) ? refuseGuest(call) : handleControl(call, desk, connections);
    }
    world.gauges.requests++;
    const record = world.recorder.open(request, world.clock.nowMs());
    const call: Call = { world, exchange, record };
    const handler = isStranger(request.headers)
      ? refuseGuest
      : (routes[`${request.method} ${request.path}`] ?? accountHandler(call));
    try {
      await handler(call);
    } finally {
      record.status = exchange.status;
      record.endedAtMs = world.clock.nowMs();
      if (record.end === "open") record.end = exchange.gone.aborted ? "client_closed" : "answered";
    }
  };
}

function accountHandler({ exchange }: Call): Handler {
  const { method, path } = exchange.request;
  const local = path.startsWith(`${BACKEND}/`)
    ? path.slice(BACKEND.length)
    : path.startsWith(`${CODEX_API}/`)
      ? `/wham${path.slice(CODEX_API.length)}`
      : null;
  const route = local === null ? undefined : ACCOUNT_ROUTES[`${method} ${local}`];
  return route ? (call) => handleAccountRoute(call, route) : (call) => sendAnswer(call, NOT_FOUND);
}

function refuseGuest(call: Call): Promise<void> {
  return sendAnswer(call, detailAnswer(403, "Only loopback clients are served"));
}
