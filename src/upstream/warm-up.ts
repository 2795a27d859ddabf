/**
 * The answer to a request that only says what is to come (`generate: false`, wire §3.5), where HTTP is all there is: begun and complete,
 * nothing used, nothing asked of anybody.
 */
import { type Dice, randomToken } from "../base/id.ts";
import type { HttpAnswer } from "./http-client.ts";

export function warmUpAnswer(dice: Dice, nowMs: number): HttpAnswer {
  const response = {
    id: `resp_rotor_${randomToken(dice, 12)}`,
    object: "response",
    created_at: Math.floor(nowMs / 1_000),
    status: "in_progress",
    output: [],
    usage: null,
  };
  const usage = {
    input_tokens: 0,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 0,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 0,
  };
  const events = [
    { type: "response.created", sequence_number: 0, response },
    { type: "response.completed", sequence_number: 1, response: { ...response, status: "completed", usage } },
  ];
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
  let value: Uint8Array | undefined = new TextEncoder().encode(text);
  const reader = {
    async read() {
      const chunk = value;
      value = undefined;
      return { done: chunk === undefined, value: chunk };
    },
    async cancel() {},
  };
  return { status: 200, headers: [["content-type", "text/event-stream"]], reader };
}
