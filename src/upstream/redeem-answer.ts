/**
 * The answer to redeeming a reset credit (wire §3.10). Pure.
 */
import { parseObject, textAt } from "./json.ts";

const CODES = ["reset", "nothing_to_reset", "no_credit", "already_redeemed"] as const;

/** What became of it, in upstream's words. */
export type RedeemCode = (typeof CODES)[number];

/** null when the text is no such answer: then nobody knows what became of it. */
export function readRedeemAnswer(text: string): RedeemCode | null {
  const body = parseObject(text);
  const code = body === null ? null : textAt(body, "code");
  return CODES.find((known) => known === code) ?? null;
}
