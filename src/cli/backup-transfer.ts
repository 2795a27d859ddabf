/**
 * Bytes of backups between the daemon and files outside of its folder: the ctl opens those, the daemon never does (contracts §16).
 */
import { open, rename, rm } from "node:fs/promises";
import { AppError } from "../base/errors.ts";
import type { Backup } from "../gen/rotor/v1/backup_service_pb.ts";
import type { Context } from "./command.ts";
import type { DaemonLink } from "./daemon-link.ts";

const PART_BYTES = 512 * 1024;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Writes the backup to `path`, which must not exist, whole or not at all. */
export async function downloadBackup({ print }: Context, link: DaemonLink, name: string, path: string): Promise<void> {
  const draft = `${path}.part`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      let bytes = 0;
      for await (const part of link.backups.downloadBackup({ name })) {
        await file.writeFile(part.data);
        bytes += part.data.length;
        print.progress(`${megabytes(bytes)} of ${megabytes(Number(part.totalBytes))}`);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await refuseExisting(path);
    await rename(draft, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") await rm(draft, { force: true });
    throw notWritten(path, thrown);
  } finally {
    print.progress(null);
  }
}

/** Asked before anything is made: a file of that name may be somebody's only backup. */
export async function refuseExisting(path: string): Promise<void> {
  const there = await open(path, "r").catch(() => null);
  await there?.close();
  if (there !== null) throw new AppError("bad_usage", `${path} exists already`, { hint: "give another name" });
}

function notWritten(path: string, thrown: unknown): unknown {
  const { code } = thrown as NodeJS.ErrnoException;
  if (thrown instanceof AppError || typeof code !== "string") return thrown;
  const why = code === "ENOSPC" ? "the disk is full" : code === "ENOENT" ? "its folder does not exist" : code;
  return new AppError("bad_usage", `${path} cannot be written: ${why}`, { hint: null, cause: thrown });
}

/** Hands the file to the daemon, which looks at every byte of it. */
export async function uploadBackup({ print }: Context, link: DaemonLink, path: string): Promise<Backup> {
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "ENOENT" ? "it does not exist" : cause.code;
    throw new AppError("backup_not_found", `${path} cannot be read: ${why}`, { cause });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new AppError("backup_not_found", `${path} is not a file`);
    async function* parts() {
      for (let bytes = 0; ; ) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(PART_BYTES), 0, PART_BYTES);
        if (bytesRead === 0) return;
        bytes += bytesRead;
        print.progress(`${megabytes(bytes)} of ${megabytes(stat.size)}`);
        yield { data: Uint8Array.from(buffer.subarray(0, bytesRead)) };
      }
    }
    const { backup } = await link.backups.uploadBackup(parts());
    return backup!;
  } finally {
    print.progress(null);
    await file.close();
  }
}
