/**
 * `rotor doctor --live`: one tiny turn through the proxy, as any client would ask for it, and what became of it. Spends a few tokens.
 */
import { AppError } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { failureOf } from "../failure.ts";
import { sendRequest } from "../one-request.ts";
import { printable } from "../print.ts";
import { formatDuration } from "../text/time-text.ts";
import { durationMs, toMs } from "../text/wire-text.ts";
import { error, type OwnFinding, ok } from "./finding.ts";
import { type PeerKey, withPeerKey } from "./peer-key.ts";

/** Stands for the smallest model that is served (rotor help models). */
const SMALLEST = "gpt-5.4-nano";

/** With the key of a connected tool, or one of its own that ends with the turn. */
export async function liveTurn(context: Context, key: PeerKey | null, model: string | null): Promise<OwnFinding> {
  const link = await context.daemon();
  context.print.progress("asking for one tiny turn …");
  try {
    // What is the smallest is known when the list is.
    if (model === null) await link.models.listModels({});
    const wanted = model ?? SMALLEST;
    if (key !== null) return await turn(context, link, key, wanted);
    return await withPeerKey(context, link, "doctor", (own) => turn(context, link, own, wanted));
  } catch (thrown) {
    if (context.io.interrupted.aborted) throw thrown;
    const { message, hint } = failureOf(thrown);
    return error("live.turn", message, hint ?? "rotor pool explain");
  } finally {
    context.print.progress(null);
  }
}

async function turn({ io }: Context, link: DaemonLink, key: PeerKey, model: string): Promise<OwnFinding> {
  const request = { secret: key.secret, model, prompt: "Reply with OK." };
  const { status, text, completed, exchange } = await sendRequest(io, link, request);
  const shown = `rotor exchange show ${exchange.id}`;
  if (status !== 200) return error("live.turn", `${model}: refused with ${status}: ${refusalText(text)}`, shown);
  if (!completed) return error("live.turn", `${model}: the answer broke off`, shown);
  const sent = exchange.modelMapping?.sent || exchange.model || model;
  const { usage, firstByteDuration } = exchange;
  const [startMs, endMs] = [toMs(exchange.startTime), toMs(exchange.endTime)];
  const took = startMs === null || endMs === null ? "" : ` in ${formatDuration(endMs - startMs)}`;
  const firstMs = durationMs(firstByteDuration);
  const first = firstMs === null ? "" : ` (first event after ${formatDuration(firstMs)})`;
  const used = usage === undefined ? "no usage was said" : `${usage.inputTokens} tokens in, ${usage.outputTokens} out`;
  const moved = exchange.attempts.length > 1 ? `, at attempt ${exchange.attempts.length}` : "";
  const by = `${printable(sent)} answered from ${exchange.accountAlias}${moved}${took}${first}`;
  return ok("live.turn", `${by}; ${used}; with the key ${key.name}`);
}

/** The message inside of an OpenAI error body, else its beginning. */
function refusalText(body: string): string {
  try {
    const { error: inner } = JSON.parse(body) as { error?: { message?: unknown } };
    if (typeof inner?.message === "string") return printable(inner.message);
  } catch {
    // Not JSON: as it is.
  }
  return printable(body.slice(0, 200));
}

/** `--live` beside what touches no network is a contradiction. */
export function checkLiveOrder(live: boolean, model: string | null, offline: boolean): void {
  const hint = "rotor help doctor";
  if (model !== null && !live) throw new AppError("bad_usage", "--model goes with --live", { hint });
  if (live && offline)
    throw new AppError("bad_usage", "--live asks upstream; --offline and --dry-run ask nobody", { hint });
}
