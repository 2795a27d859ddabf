/**
 * Plays a planned stream on the wire: the pace, the points at which a fault acts, and the count of what was sent, so that
 * a test can ask how much left before the client's close was seen.
 */
import { randomToken } from "../base/id.ts";
import type { SimAccount } from "./accounts.ts";
import { rateLimitsEvent } from "./allowance-wire.ts";
import type { Conversation } from "./conversation.ts";
import type { Fault } from "./fault-book.ts";
import type { HeaderList } from "./http-request.ts";
import type { JsonObject } from "./json.ts";
import type { Reply } from "./reply.ts";
import { planStream, type StreamPlan, type StreamStep, type Usage } from "./reply-events.ts";
import { cutCall, requestIds } from "./serve.ts";
import { createMessageWriter, createSseWriter, type SseWriter } from "./sse-writer.ts";
import { extraPieceOf, headOf, pointAct, pointOf, shapeOf } from "./stream-faults.ts";
import type { Call } from "./world.ts";

export interface StreamJob {
  account: SimAccount;
  talk: Conversation;
  reply: Reply;
  usage: Usage;
  fault: Fault | null;
  headers: HeaderList;
  /** Events before all others. */
  prelude?: JsonObject[];
  onCompleted(): void;
}

/** What a step leaves behind: go on, stop here with the stream ended in order, or stop since nobody listens any more. */
type After = "go_on" | "finish" | "stop";

export async function runStream(call: Call, job: StreamJob): Promise<void> {
  const { gauges } = call.world;
  gauges.openStreams++;
  gauges.mostOpenStreams = Math.max(gauges.mostOpenStreams, gauges.openStreams);
  try {
    await play(call, job);
  } finally {
    gauges.openStreams--;
  }
}

async function play(call: Call, job: StreamJob): Promise<void> {
  const { exchange, record, world } = call;
  const { fault } = job;
  // Fixed for the length of a stream, whatever the control API says meanwhile.
  const pacing = { ...world.pacing };
  if (fault?.kind === "empty_output") pacing.emptyOutput = true;
  const plan = planFor(call, job, pacing);
  const writer =
    exchange.message === null
      ? createSseWriter(exchange, shapeOf(fault?.kind ?? null))
      : createMessageWriter(exchange, exchange.message);
  record.eventsPlanned = plan.steps.filter((step) => step.type === "event").length;
  if (!(await exchange.begin(200, headOf(fault, [...requestIds(call), ...job.headers])))) return;
  if (!(await world.clock.pause(pacing.headDelayMs, exchange.gone))) return;
  const player = { call, job, plan, writer, pacing };
  // Over a WebSocket there is no head for every answer: what a head says comes first, as events (wire reference §3.5).
  for (const event of job.prelude ?? []) {
    record.eventsPlanned++;
    if (!(await sendEvent(player, event))) return;
  }
  if (pacing.rateLimitsEvent || fault?.kind === "rate_limits_event") {
    record.eventsPlanned++;
    if (!(await sendEvent(player, rateLimitsEvent(job.account, world.clock.nowMs())))) return;
  }
  for (const step of plan.steps) {
    const after = await playStep(player, step);
    if (after === "stop") return;
    if (after === "finish") break;
  }
  if (fault?.kind === "done_marker") await writer.raw(null, "[DONE]");
  await writer.finish();
}

interface Player {
  call: Call;
  job: StreamJob;
  plan: StreamPlan;
  writer: SseWriter;
  pacing: { delayMs: number; firstDelayMs: number };
}

async function playStep(player: Player, step: StreamStep): Promise<After> {
  const { call, job, pacing } = player;
  const { clock } = call.world;
  if (step.type === "event") {
    const isLast = step.event.type === "response.completed";
    if (isLast && job.fault?.kind === "missing_completed") return "finish";
    if (job.fault?.kind === "no_deltas" && String(step.event.type).endsWith(".delta")) return "go_on";
    if (call.record.eventsSent > 0 && !(await clock.pause(pacing.delayMs, call.exchange.gone))) return "stop";
    if (!(await sendEvent(player, step.event))) return "stop";
    if (isLast) job.onCompleted();
    return "go_on";
  }
  if (step.point === "opening" && !(await clock.pause(pacing.firstDelayMs, call.exchange.gone))) return "stop";
  const { fault } = job;
  return fault && pointOf(fault) === step.point ? strike(player, fault) : "go_on";
}

async function strike(player: Player, fault: Fault): Promise<After> {
  const { call, job, plan, writer } = player;
  const { clock } = call.world;
  const act = pointAct(fault, plan.opening, job.account.plan, clock.nowMs());
  switch (act?.act) {
    case undefined:
      return "go_on";
    case "cut":
      await writer.flush();
      cutCall(call, act.how);
      return "stop";
    case "close_frame":
      await writer.flush();
      if (call.exchange.closeWith === null) cutCall(call, "fin");
      else await call.exchange.closeWith(act.code, "");
      return "stop";
    case "stall":
      await writer.flush();
      await call.exchange.untilGone();
      return "stop";
    case "pause":
      return (await clock.pause(act.delayMs, call.exchange.gone)) ? "go_on" : "stop";
    case "raw":
      return (await writer.raw(act.event, act.data)) ? "go_on" : "stop";
    case "events":
      for (const event of act.events) {
        if (!(await clock.pause(act.delayMs, call.exchange.gone))) return "stop";
        if (!(await sendEvent(player, event))) return "stop";
      }
      return act.next;
  }
}

async function sendEvent(player: Player, event: JsonObject): Promise<boolean> {
  if (player.call.exchange.gone.aborted) return false;
  const sent = await player.writer.event(event);
  if (sent) player.call.record.eventsSent++;
  return sent;
}

function planFor(call: Call, job: StreamJob, pacing: Call["world"]["pacing"]): StreamPlan {
  const { world } = call;
  const newId = (prefix: string) => `${prefix}_${randomToken(world.dice, 18)}`;
  return planStream(job.talk, job.reply, {
    responseId: newId("resp"),
    createdAtSeconds: Math.floor(world.clock.nowMs() / 1_000),
    usage: job.usage,
    pacing,
    extraPiece: extraPieceOf(job.fault),
    withCreated: job.fault?.kind !== "no_created",
    newId,
    seal: (text) => world.sealed.seal(job.account.organizationId, text),
  });
}
