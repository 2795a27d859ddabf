/**
 * Preloaded into a daemon that runs from source: kills it, as kill -9 does, before or after the n-th thing that it writes for good: a
 * commit, a sync, a rename, a removal, or half-way through the bytes of a file. The product knows nothing of it: its imports of node:fs
 * are led here while it is loaded. ROTOR_TEST_DEATH names a folder with a file `left`: how many points are left; without it nobody dies.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { join } from "node:path";
import { dieAt } from "./death-point.ts";

const SQL_WRITE = /^\s*(?:VACUUM|PRAGMA wal_checkpoint|BEGIN|COMMIT)/i;
const { transaction, run } = Database.prototype;

Database.prototype.transaction = function (this: Database, work: never) {
  const made = transaction.call(this, work) as unknown as { immediate(): unknown };
  return {
    immediate() {
      dieAt("before a commit");
      const value = made.immediate();
      dieAt("after a commit");
      return value;
    },
  };
} as never;

Database.prototype.run = function (this: Database, sql: string, ...values: never[]) {
  if (SQL_WRITE.test(sql)) dieAt(`before ${sql.trim().split(/\s/)[0]}`);
  return run.call(this, sql, ...values);
} as never;

const counted = join(import.meta.dir, "dying-fs.ts");

Bun.plugin({
  name: "points of death",
  setup(build) {
    build.onLoad({ filter: /\/src\/(?:base|store|daemon|control)\/[\w-]+\.ts$/ }, ({ path }) => {
      const text = fs.readFileSync(path, "utf8").replaceAll('from "node:fs"', `from ${JSON.stringify(counted)}`);
      // A thread has modules of its own, and must be told where its points are.
      const preload = `new Worker(Bun.main, { preload: [${JSON.stringify(import.meta.path)}], `;
      return { contents: text.replaceAll("new Worker(Bun.main, { ", preload), loader: "ts" };
    });
  },
});
