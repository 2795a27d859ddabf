/**
 * Work that would hold up streams (contracts §18), in a thread of its own with connections of its own. One job, one thread: it ends with
 * its job, and what it held goes with it. `runWorkerJob` is the thread's side, `runInWorker` the caller's.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { localOffsetMinutes } from "../base/clock.ts";
import { AppError, type ErrorCode, type ErrorFacts, fromUnknown } from "../base/errors.ts";
import { systemDice } from "../base/id.ts";
import type { UsageQuery } from "../domain/ledger.ts";
import type { PreviewAsk } from "../domain/rule-preview.ts";
import { verifyBackupFile } from "../store/backup-file.ts";
import { type MakeBackup, makeBackup, type PrepareRestore, prepareRestore } from "../store/backup-work.ts";
import { openAside } from "../store/database.ts";
import { migrate } from "../store/migrations.ts";
import { previewBeside } from "../store/rule-preview.ts";
import { reportBeside } from "../store/usage-report.ts";

const JOBS = {
  makeBackup: (input: MakeBackup) => makeBackup(input, systemDice),
  prepareRestore: (input: PrepareRestore) => prepareRestore(input, systemDice),
  verifyBackup: async (path: string) => verifyBackupFile(path).manifest,
  reportUsage: async ({ database, query }: { database: string; query: UsageQuery }) => reportBeside(database, query),
  previewRules: async ({ database, ask }: { database: string; ask: PreviewAsk }) =>
    previewBeside(database, ask, localOffsetMinutes),
  migrate: async (path: string) => {
    const db = openAside(path);
    try {
      return migrate(db, path);
    } finally {
      db.close();
    }
  },
};

type Jobs = typeof JOBS;
type Answer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | null;
      readonly facts: ErrorFacts;
      readonly cause: string | null;
    };

/** Does the one job that this thread was made for. */
export async function runWorkerJob(): Promise<void> {
  const { name, input } = workerData as { name: keyof Jobs; input: never };
  parentPort!.postMessage(await answer(name, input));
}

async function answer(name: keyof Jobs, input: never): Promise<Answer> {
  try {
    return { ok: true, value: await JOBS[name](input) };
  } catch (thrown) {
    const { code, message, hint, facts, cause } = fromUnknown(thrown);
    return { ok: false, code, message, hint, facts, cause: cause instanceof Error ? cause.message : null };
  }
}

export type RunJob = <N extends keyof Jobs>(
  name: N,
  input: Parameters<Jobs[N]>[0],
) => Promise<Awaited<ReturnType<Jobs[N]>>>;

export const runInWorker: RunJob = (name, input) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(Bun.main, { workerData: { name, input } });
    let said: Answer | null = null;
    worker.once("message", (message: Answer) => {
      said = message;
    });
    worker.once("error", (cause) => reject(new AppError("internal", "the worker broke", { cause })));
    worker.once("exit", () => {
      if (said === null) reject(new AppError("internal", "the worker ended without a word"));
      else if (said.ok) resolve(said.value as never);
      else {
        const { code, message, hint, facts, cause } = said;
        reject(new AppError(code, message, { hint, facts, cause: cause === null ? undefined : new Error(cause) }));
      }
    });
  });
