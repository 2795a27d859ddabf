/**
 * Puts together whoever has to do with logins: the credential keeper, the watched files and what moves logins between the two. They know
 * each other in a ring, which is closed here and nowhere else.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Settings } from "../domain/setting.ts";
import type { WatchedFile } from "../domain/watched-file.ts";
import type { Store } from "../store/store.ts";
import type { Issuer } from "../upstream/upstream.ts";
import { type IntakeDeps, REPLACE_TRIES, replaceLogin } from "./account-intake.ts";
import type { AuditNotes } from "./audit-book.ts";
import { createBorrowedLogins } from "./borrowed-login.ts";
import { createCredentialKeeper } from "./credential-keeper.ts";
import type { FileDesk } from "./engine.ts";
import type { FilePort } from "./file-port.ts";
import { createFirstIdentity } from "./first-identity.ts";
import type { Keeper } from "./keeper.ts";
import { createLoginFiles } from "./login-files.ts";
import type { Scheduler } from "./scheduler.ts";
import { createSwitchDesk } from "./switch-desk.ts";
import { createWatchDesk, type WatchDesk } from "./watch-desk.ts";

export interface Custody {
  readonly intake: IntakeDeps;
  readonly watch: WatchDesk;
  readonly fileDesk: FileDesk;
}

export function createCustody(deps: {
  watchedFiles: readonly WatchedFile[];
  keeper: Keeper;
  store: Store;
  issuer: Issuer;
  issuerUrl: string;
  filePort: FilePort;
  scheduler: Scheduler;
  settings: () => Settings;
  clock: Clock;
  dice: Dice;
  audit: AuditNotes;
  log: Log;
}): Custody {
  const { keeper, store, issuerUrl, clock, dice, scheduler, settings, audit, log, filePort: port } = deps;
  const files = createLoginFiles({ stored: deps.watchedFiles, store, port, issuerUrl, clock, log });
  const borrowed = createBorrowedLogins({
    keeper,
    files,
    adopt: (id, login, owner) => replaceLogin(intake, id, login, owner, REPLACE_TRIES),
    clock,
    log,
  });
  const credentials = createCredentialKeeper({ ...deps, borrowed, identity: createFirstIdentity(deps) });
  const intake: IntakeDeps = { keeper, credentials, store, issuerUrl, clock, dice, audit };
  const fileDeps = { ...intake, files, port, scheduler, settings, log };
  const watch = createWatchDesk(fileDeps);
  const switches = createSwitchDesk({ ...fileDeps, watch });
  const { list, holding, unwatch, sync } = watch;
  return { intake, watch, fileDesk: { list, holding, watch: watch.watch, unwatch, sync, ...switches } };
}
