/** What an event is, by its data: the first bytes tell, and only what is written otherwise is looked into. Never parses what it says. */
import { findMember, readText, scanMembers } from "./json-members.ts";

/** The first member of most events is their type, and most are output that nothing else is asked of. */
const PLAIN_TYPE = /^\{"type":"([a-z_.]+)"/;
const TYPE_MAX_BYTES = 80;

export function eventType(data: Buffer): string | null {
  const plain = PLAIN_TYPE.exec(data.toString("latin1", 0, TYPE_MAX_BYTES));
  if (plain !== null) return plain[1]!;
  const scan = scanMembers(data);
  return scan.ok ? readText(data, findMember(scan.members, "type")) : null;
}
