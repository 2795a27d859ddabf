/**
 * Client keys in words: a line each for lists, and all that is to say of one.
 */
import type { Key } from "../../gen/rotor/v1/key_service_pb.ts";
import { printable } from "../print.ts";
import { limitText, limitUseText } from "./limit-text.ts";
import { formatAgo, formatClock, formatEnd } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

export function keyRow(key: Key, number: number, nowMs: number): string[] {
  const ago = (atMs: number | null, never: string) => (atMs === null ? never : formatAgo(atMs, nowMs));
  return [
    String(number),
    key.name,
    key.id,
    ago(toMs(key.createTime), "–"),
    ago(toMs(key.lastUseTime), "never"),
    stateText(key, nowMs),
  ];
}

function stateText(key: Key, nowMs: number): string {
  const revokedMs = toMs(key.revokeTime);
  if (revokedMs !== null) return `revoked ${formatAgo(revokedMs, nowMs)}`;
  const expiresMs = toMs(key.terms?.expireTime);
  if (expiresMs !== null && expiresMs <= nowMs) return `expired ${formatAgo(expiresMs, nowMs)}`;
  const limits = key.terms?.limits ?? [];
  return limits.length === 0 ? "valid" : `valid, ${limits.map(limitText).join(", ")}`;
}

export function keyFacts(key: Key, nowMs: number): [string, string][] {
  const { terms } = key;
  const when = (atMs: number | null) =>
    atMs === null ? "never" : `${formatClock(atMs, nowMs)} (${formatAgo(atMs, nowMs)})`;
  const list = (values: readonly string[] | undefined) => (values?.length ? printable(values.join(", ")) : "all");
  const expiresMs = toMs(terms?.expireTime);
  const formerMs = toMs(key.formerEndTime);
  const facts: [string, string][] = [
    ["key", key.name],
    ["id", key.id],
    ["state", stateText(key, nowMs)],
    ["made", when(toMs(key.createTime))],
    ["used", when(toMs(key.lastUseTime))],
    ["expires", expiresMs === null ? "never" : formatEnd(expiresMs, nowMs)],
    ["models", list(terms?.models)],
    ["efforts", list(terms?.efforts)],
    ["tiers", list(terms?.tiers)],
  ];
  if (formerMs !== null && formerMs > nowMs)
    facts.push(["former secret", `good for now, ends ${formatEnd(formerMs, nowMs)}`]);
  if (key.limitUses.length === 0) facts.push(["limits", "none"]);
  for (const use of key.limitUses) facts.push(["limit", limitUseText(use, nowMs)]);
  return facts;
}

/** What a key may do now, in a line. */
export function termsNote(key: Key, nowMs: number): string {
  const { models = [], efforts = [], tiers = [], limits = [] } = key.terms ?? {};
  const expiresMs = toMs(key.terms?.expireTime);
  const parts = [
    models.length === 0 ? "all models" : `models ${printable(models.join(", "))}`,
    ...(efforts.length === 0 ? [] : [`efforts ${printable(efforts.join(", "))}`]),
    ...(tiers.length === 0 ? [] : [`tiers ${printable(tiers.join(", "))}`]),
    limits.length === 0 ? "no limit" : limits.map(limitText).join(" and "),
    ...(expiresMs === null ? [] : [`ends ${formatEnd(expiresMs, nowMs)}`]),
  ];
  return parts.join("; ");
}
