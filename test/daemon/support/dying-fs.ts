/**
 * node:fs as a daemon that may die at each write sees it (die-at-write.ts).
 */
import * as fs from "node:fs";
import { die, dieAt, passPoint } from "./death-point.ts";

export * from "node:fs";

const around = <A extends unknown[], R>(name: string, work: (...args: A) => R) => {
  return (...args: A): R => {
    dieAt(`before ${name}`);
    const value = work(...args);
    dieAt(`after ${name}`);
    return value;
  };
};

export const fsyncSync = around("fsync", fs.fsyncSync);
export const renameSync = around("rename", fs.renameSync);
export const rmSync = around("rm", fs.rmSync);
export const copyFileSync = around("copy", fs.copyFileSync);
export const mkdirSync = around("mkdir", fs.mkdirSync as (...args: unknown[]) => unknown) as typeof fs.mkdirSync;

/** Half of the bytes may be all that comes. */
export const writeSync = ((handle: number, data: string | Uint8Array, ...more: never[]) => {
  if (passPoint("half-way through a write")) {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    fs.writeSync(handle, bytes.subarray(0, bytes.length >> 1));
    die();
  }
  return fs.writeSync(handle, data as never, ...more);
}) as typeof fs.writeSync;

export const writeFileSync = ((path: fs.PathOrFileDescriptor, data: string, options: fs.WriteFileOptions) => {
  if (passPoint("half-way through a file")) {
    fs.writeFileSync(path, String(data).slice(0, String(data).length >> 1), options);
    die();
  }
  fs.writeFileSync(path, data, options);
}) as typeof fs.writeFileSync;
