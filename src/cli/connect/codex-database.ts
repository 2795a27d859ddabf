/**
 * Codex's own list of its conversations (state_N.sqlite), as far as it says which provider each belongs to. Codex 0.169 lists by the files of
 * the conversations and resumes by this list, and brings neither up to date from the other in time. Touches that one column and nothing else.
 */
import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Codex writes in moments; one that holds its list longer than this is at something large. */
const PATIENCE_MS = 3_000;

/** The list in use: the one with the highest number. null = none. */
export function threadList(home: string): string | null {
  const numbers = readdirSync(home).flatMap((name) => /^state_(\d+)\.sqlite$/.exec(name)?.[1] ?? []);
  const last = numbers.map(Number).sort((a, b) => b - a)[0];
  return last === undefined ? null : join(home, `state_${last}.sqlite`);
}

/** Conversations of a provider; none when this is no list that we understand. */
export function threadsOf(path: string, provider: string): readonly string[] {
  try {
    return withList(path, (list) =>
      list.query<{ id: string }, [string]>("SELECT id FROM threads WHERE model_provider = ? ORDER BY id").all(provider),
    ).map(({ id }) => id);
  } catch {
    return [];
  }
}

/** One line an id that is there: the id, a tab, its provider. */
export function readRows(path: string, ids: readonly string[]): Uint8Array {
  const lines = withList(path, (list) => {
    const query = list.query<{ provider: string }, [string]>(
      "SELECT model_provider AS provider FROM threads WHERE id = ?",
    );
    return ids.flatMap((id) => {
      const found = query.get(id);
      return found === null ? [] : [`${id}\t${found.provider}`];
    });
  });
  return new TextEncoder().encode(lines.join("\n"));
}

export function writeRows(path: string, content: Uint8Array): void {
  const lines = new TextDecoder().decode(content).split("\n").filter(Boolean);
  withList(path, (list) => {
    const update = list.query("UPDATE threads SET model_provider = ? WHERE id = ?");
    list.transaction(() => {
      for (const line of lines) {
        const [id, provider] = line.split("\t") as [string, string];
        update.run(provider, id);
      }
    })();
  });
}

function withList<T>(path: string, act: (list: Database) => T): T {
  const list = new Database(path, { readwrite: true, create: false });
  try {
    list.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
    return act(list);
  } finally {
    list.close();
  }
}
