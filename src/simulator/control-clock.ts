/**
 * The clock over the control API: read it, move it forward, set it.
 */
import { formatInstant, parseInstant } from "../base/clock.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { asObject, asText } from "./json.ts";
import type { World } from "./world.ts";

export function controlClock(method: string, world: World, body: unknown): Answer | null {
  if (method === "POST") {
    const given = asObject(body) ?? {};
    const { advanceMs } = given;
    const atMs = parseInstant(asText(given.time) ?? "");
    if (typeof advanceMs === "number" && Number.isFinite(advanceMs)) world.clock.advance(advanceMs);
    else if (atMs !== null) world.clock.set(atMs);
    else return jsonAnswer(400, { error: { message: "give `advanceMs` (a number) or `time` (an instant)" } });
  }
  if (method !== "GET" && method !== "POST") return null;
  const nowMs = world.clock.nowMs();
  return jsonAnswer(200, { time: formatInstant(nowMs), nowMs, offsetMs: world.clock.offsetMs() });
}
