/**
 * Conversations that Codex keeps under the provider of a product that is gone. Codex lists and resumes only those of the provider in force; a
 * conversation's provider stands in the first line of its file and again wherever it notes its settings, and in Codex's own list
 * (run with Codex 0.169, 2026-11-21). There the name is replaced by `openai` and blanks, as many bytes as before, in place.
 */
import { existsSync, readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { threadList, threadsOf } from "./codex-database.ts";
import type { Spot, Task } from "./task.ts";

/** The provider id of codex-multi-auth. */
export const REPLACED_PROVIDER = "codex-multi-auth-runtime-proxy";

const NAME = `"${REPLACED_PROVIDER}"`;
const OURS = '"openai"'.padEnd(NAME.length);
/** As text of a conversation its quotes would be escaped: unescaped they are Codex's own. */
const MEMBERS = ['"model_provider":', '"model_provider_id":'].map((member) => `${member}${NAME}`);
/** The first line tells in its beginning whose a conversation is; what follows are instructions. */
const HEAD_BYTES = 16_384;
/** Read at once when a whole conversation is looked through. */
const CHUNK_BYTES = 1_048_576;
const LONGEST = Math.max(...MEMBERS.map((text) => text.length));

export async function replacedThreads(home: string): Promise<readonly Task[]> {
  const folders = ["sessions", "archived_sessions"].map((name) => join(home, name)).filter((path) => existsSync(path));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /(^|[/\\])rollout-[^/\\]*\.jsonl$/.test(name))
      .map((name) => join(folder, name)),
  );
  const tasks: Task[] = [];
  for (const path of files.sort()) {
    const spots = await spotsIn(path);
    if (spots.length > 0) tasks.push({ kind: "patch", path, what: "an earlier conversation", spots, isLoose: true });
  }
  const list = existsSync(home) ? threadList(home) : null;
  const ids = list === null ? [] : threadsOf(list, REPLACED_PROVIDER);
  const rows = { ids, from: REPLACED_PROVIDER, to: "openai" };
  if (list !== null && ids.length > 0)
    tasks.push({ kind: "rows", path: list, what: "Codex's list of its conversations", rows, isLoose: true });
  return tasks;
}

/** None when the conversation is another provider's, or cannot be read. */
async function spotsIn(path: string): Promise<readonly Spot[]> {
  try {
    const file = await open(path, "r");
    try {
      const read = async (offset: number, length: number) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      };
      const head = (await read(0, HEAD_BYTES)).toString("latin1").split("\n", 1)[0]!;
      if (!head.includes('"session_meta"') || !head.includes(MEMBERS[0]!)) return [];
      const found = new Set<number>();
      for (let offset = 0; ; offset += CHUNK_BYTES) {
        // One byte a letter; a member that two reads share is found by the first.
        const chunk = (await read(offset, CHUNK_BYTES + LONGEST)).toString("latin1");
        for (const member of MEMBERS) for (const at of placesOf(member, chunk)) found.add(offset + at);
        if (chunk.length < CHUNK_BYTES + LONGEST) break;
      }
      return [...found].sort((a, b) => a - b).map((offset) => ({ offset, from: NAME, to: OURS }));
    } finally {
      await file.close();
    }
  } catch {
    return [];
  }
}

/** Where the name stands behind its member. */
function* placesOf(member: string, text: string): Iterable<number> {
  for (let at = text.indexOf(member); at !== -1; at = text.indexOf(member, at + 1))
    yield at + member.length - NAME.length;
}
