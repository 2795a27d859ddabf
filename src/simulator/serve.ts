/**
 * Between a handler and the wire: applies `transport` and `answer` faults, sends the answer, notes the faults that struck.
 */
import type { SimAccount } from "./accounts.ts";
import type { Answer } from "./answer.ts";
import { faultAnswer } from "./fault-answers.ts";
import type { Fault } from "./fault-book.ts";
import type { FaultPlace, FaultStage } from "./faults.ts";
import type { HeaderList } from "./http-request.ts";
import type { Call } from "./world.ts";

/** An answer, or something that writes one itself. */
export type Produced = Answer | { stream(): Promise<void> };

export interface Target {
  at: FaultPlace;
  account: SimAccount | null;
  model: string | null;
  /** What a stalled head looks like. */
  contentType: string;
}

export function targetOf(at: FaultPlace, account: SimAccount | null): Target {
  return { at, account, model: null, contentType: "application/json" };
}

export async function serve(call: Call, target: Target, produce: () => Produced | Promise<Produced>): Promise<void> {
  const { exchange, world } = call;
  const transport = takeFault(call, target, ["transport"]);
  if (transport && !(await before(call, target, transport))) return;
  const answered = takeFault(call, target, ["answer"]);
  const produced = answered ? answerFor(call, target, answered) : await produce();
  if (transport?.kind === "lost_answer") return cutCall(call, "reset");
  if (transport?.kind === "late_answer" && !(await world.clock.pause(delayOf(transport), exchange.gone))) return;
  if ("stream" in produced) return produced.stream();
  await sendAnswer(call, produced);
}

export async function sendAnswer(call: Call, answer: Answer): Promise<void> {
  await call.exchange.answer(answer.status, [...requestIds(call), ...answer.headers], answer.body);
}

/** Ends the connection on purpose, so that the record does not blame the client. */
export function cutCall(call: Call, how: "fin" | "reset"): void {
  call.record.end = "cut";
  call.exchange.cut(how);
}

export function takeFault(call: Call, target: Target, stages: readonly FaultStage[]): Fault | null {
  const { at, account, model } = target;
  const fault = call.world.faults.take({ at, account: account?.alias ?? null, model, stages });
  if (!fault) return null;
  call.record.faults.push(fault.kind);
  call.world.log.info("fault.struck", { fault: fault.id, kind: fault.kind, at, account: account?.alias ?? null });
  return fault;
}

/** Every answer of the edge carries these two. */
export function requestIds(call: Call): HeaderList {
  const id = `req_${Buffer.from(call.world.dice.bytes(12)).toString("hex")}`;
  return [
    ["x-request-id", id],
    ["cf-ray", `${id.slice(4, 20)}-SIM`],
  ];
}

/** Ten seconds: longer than any client waits without noticing, shorter than its time-outs. */
const DEFAULT_DELAY_MS = 10_000;

function delayOf(fault: Fault): number {
  return fault.params.delayMs ?? DEFAULT_DELAY_MS;
}

/** True when the request may go on. */
async function before(call: Call, target: Target, fault: Fault): Promise<boolean> {
  const { exchange, world } = call;
  switch (fault.kind) {
    case "reset_before_headers":
      cutCall(call, "reset");
      return false;
    case "close_before_headers":
      cutCall(call, "fin");
      return false;
    case "slow_first_byte":
      return world.clock.pause(delayOf(fault), exchange.gone);
    case "stall_before_headers":
      await exchange.untilGone();
      return false;
    case "stall_after_headers":
      await exchange.begin(200, [...requestIds(call), ["content-type", target.contentType]]);
      await exchange.untilGone();
      return false;
    default:
      return true;
  }
}

function answerFor(call: Call, target: Target, fault: Fault): Answer {
  const planType = target.account?.plan ?? null;
  const scene = { nowMs: call.world.clock.nowMs(), planType, model: target.model };
  const answer = faultAnswer(fault.kind, fault.params, scene);
  if (!answer) throw new Error(`fault kind ${fault.kind} has no answer`);
  return answer;
}
