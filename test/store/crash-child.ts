/**
 * A daemon's writing in small, to be killed from outside: holds the lock, refreshes accounts round and round, and says each write on
 * stdout only after the store said that it is done. Arguments: the folder.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { acquireLock } from "../../src/store/lock.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { accountLike, exchangeLike } from "../support/store-samples.ts";
import { ACCOUNTS, credentialsOf, intentOf, storePaths } from "./crash-facts.ts";

const folder = process.argv[2]!;
const say = (line: string) => writeSync(1, `${line}\n`);

say("started");
acquireLock(join(folder, "data", "rotor.lock"));
const store = await openSqliteStore({
  paths: storePaths(folder),
  dice: systemDice,
  clock: systemClock,
  log: silentLog,
});
say("opened");
if ((await store.loadPool()).accounts.length === 0) {
  await store.addAccounts(ACCOUNTS.map((n) => ({ account: accountLike(n), credentials: credentialsOf(n, 1) })));
}
for (const n of ACCOUNTS) say(`committed ${n} 1`);

for (let round = 0; ; round++) {
  for (const n of ACCOUNTS) {
    const { generation } = await store.loadCredentials(accountLike(n).id);
    await store.beginRefresh(intentOf(n, generation));
    say(`began ${n} ${generation}`);
    const next = { generation: generation + 1, accessExpiresAtMs: null, refreshedAtMs: round };
    const account = accountLike(n, { credentials: next });
    await store.commitRefresh(account, generation, credentialsOf(n, generation + 1));
    say(`committed ${n} ${generation + 1}`);
    await store.saveObservations([accountLike(n, { tier: `tier-${generation}` })]);
    await store.appendExchanges([exchangeLike(generation * 10 + n)], 50);
    say(`exchanged ${n} ${generation}`);
  }
}
