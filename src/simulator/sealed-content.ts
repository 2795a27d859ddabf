/**
 * Stand-ins for upstream's encrypted content (reasoning, compaction): opaque to the client, bound to the organisation
 * that made them, and refused elsewhere in upstream's own words.
 */
import { createHmac } from "node:crypto";
import type { Dice } from "../base/id.ts";
import { asText, objectsOf, tryParseJson } from "./json.ts";

export interface SealedContent {
  seal(organizationId: string, text: string): string;
  open(organizationId: string, sealed: string): { ok: true; text: string } | { ok: false; reason: string };
}

/** What real ones start with (a Fernet token's version byte and clock). */
const PREFIX = "gAAAAAB";
const MAC_CHARS = 22;

export function createSealedContent(dice: Dice): SealedContent {
  const key = dice.bytes(32);
  const mac = (payload: string) => createHmac("sha256", key).update(payload).digest("base64url").slice(0, MAC_CHARS);
  return {
    seal(organizationId, text) {
      const payload = Buffer.from(JSON.stringify({ organizationId, text })).toString("base64url");
      return `${PREFIX}${payload}${mac(payload)}`;
    },
    open(organizationId, sealed) {
      const payload = sealed.slice(PREFIX.length, -MAC_CHARS);
      if (!sealed.startsWith(PREFIX) || mac(payload) !== sealed.slice(-MAC_CHARS))
        return { ok: false, reason: "Encrypted content could not be decrypted or parsed." };
      const [held] = objectsOf([tryParseJson(Buffer.from(payload, "base64url").toString())]);
      if (held?.organizationId !== organizationId)
        return { ok: false, reason: "Encrypted content organization_id did not match the target organization." };
      return { ok: true, text: asText(held.text) ?? "" };
    },
  };
}
