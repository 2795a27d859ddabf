/**
 * The watched files: which there are, and what each holds now, read from the disk at every question (contracts §16). Decides nothing about
 * accounts. Must never read a path that is not registered.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WatchedFile } from "../domain/watched-file.ts";
import type { Store } from "../store/store.ts";
import type { FoundLogin } from "../transfer/codex-auth.ts";
import { readLoginFile } from "../transfer/login-file.ts";
import type { FilePort } from "./file-port.ts";

/** What one look at a file has shown. */
export type FileSight =
  | { readonly kind: "login"; readonly login: FoundLogin; readonly bytes: Uint8Array }
  /** Sound, and without a login that could be of use here. */
  | { readonly kind: "empty"; readonly reason: string; readonly bytes: Uint8Array }
  | { readonly kind: "broken"; readonly reason: string; readonly bytes: Uint8Array }
  | { readonly kind: "absent"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

export interface LoginFiles {
  /** In the order in which they were added. */
  list(): readonly WatchedFile[];
  /** The path as it is registered, or would be. Throws `invalid_login_file`. */
  accept(path: string): string;
  isWatched(path: string): boolean;
  /** Registers it; a path that is there already is no error. */
  add(path: string): Promise<WatchedFile>;
  remove(path: string): Promise<void>;
  look(path: string): Promise<FileSight>;
  /** As `look`, but bytes that cannot be read are given a moment to become whole: another program may be writing them. */
  lookPatiently(path: string): Promise<FileSight>;
  /** As `look`, of a path that is about to be registered by the same caller. */
  preview(path: string): Promise<FileSight>;
}

/** A program that writes in place is done within a few milliseconds; after half a second the file is simply broken. */
const WHOLE_LOOKS = 5;
const WHOLE_LOOK_EVERY_MS = 100;

export function createLoginFiles(deps: {
  stored: readonly WatchedFile[];
  store: Store;
  port: FilePort;
  issuerUrl: string;
  clock: Clock;
  log: Log;
}): LoginFiles {
  const { store, port, clock, log } = deps;
  const files = new Map(deps.stored.map((file) => [file.path, file]));

  const see = async (path: string): Promise<FileSight> => {
    const reading = await port.read(path);
    if (reading.kind === "absent") return { kind: "absent", reason: "there is no such file" };
    if (reading.kind === "refused") return reading;
    const content = readLoginFile(reading.bytes);
    if (content.kind !== "login") return { ...content, bytes: reading.bytes };
    const { issuer } = content.login;
    if (issuer !== null && issuer !== deps.issuerUrl)
      return { kind: "empty", reason: `its login belongs to the issuer ${issuer}`, bytes: reading.bytes };
    return { kind: "login", login: content.login, bytes: reading.bytes };
  };
  const look = async (path: string): Promise<FileSight> => {
    if (!files.has(path)) throw new AppError("file_not_watched", `${path} is not a watched file`);
    return see(path);
  };

  return {
    list: () => [...files.values()],
    accept: (path) => port.accept(path),
    isWatched: (path) => files.has(path),
    async add(path) {
      const accepted = port.accept(path);
      const known = files.get(accepted);
      if (known) return known;
      const file: WatchedFile = { path: accepted, addedAtMs: clock.nowMs() };
      await store.addWatchedFile(file);
      files.set(accepted, file);
      log.info("file.watched", { path: accepted });
      return file;
    },
    async remove(path) {
      if (!files.has(path)) throw new AppError("file_not_watched", `${path} is not a watched file`);
      await store.removeWatchedFile(path);
      files.delete(path);
      log.info("file.unwatched", { path });
    },
    look,
    async lookPatiently(path) {
      for (let looks = 1; ; looks++) {
        const sight = await look(path);
        if (sight.kind !== "broken" || looks >= WHOLE_LOOKS) return sight;
        await clock.sleep(WHOLE_LOOK_EVERY_MS);
      }
    },
    preview: see,
  };
}
