/**
 * A day of a daemon with a canary in the place of everything that is secret. Keeps all that Rotor said and wrote; judges nothing.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { packedText } from "../../support/packed-text.ts";
import { type Canaries, createCanaries, type Place } from "./canaries.ts";
import * as deeds from "./canary-deeds.ts";
import { ALIASES, begin, type Day, plantLogin, wordsOf } from "./canary-room.ts";
import { openRelay } from "./relay.ts";
import type { Chance } from "./seed.ts";
import { openStage } from "./stage.ts";

export interface CanaryDay extends AsyncDisposable {
  readonly canaries: Canaries;
  readonly home: string;
  /** What Rotor said: to clients, to callers of its API, on its outputs. */
  readonly said: readonly Place[];
  /** Commands that were run, with their exit codes. */
  readonly commands: readonly string[];
  /** Methods that were read and answered at least once. */
  readonly answered: ReadonlySet<string>;
  /** Every file of this day's folders, as it is now. */
  files(): Place[];
}

export async function liveCanaryDay(chance: Chance): Promise<CanaryDay> {
  const canaries = createCanaries();
  const word = wordsOf(chance);
  const people = ALIASES.map((alias) => ({ alias, plan: "plus", email: `${word()}.${word()}@example.test` }) as const);
  const stage = await openStage({ accounts: people, oauth: { graceSeconds: 0 } });
  const relay = await openRelay(stage.sim.port);
  try {
    for (const { email } of people) canaries.plant("e-mail address", email);
    const day = await begin(stage, relay, canaries, chance);
    await deeds.signIn(day);
    await deeds.bringFiles(day);
    await deeds.serve(day);
    await deeds.fail(day);
    await deeds.renew(day);
    await deeds.strangers(day);
    await deeds.share(day);
    await deeds.giveAway(day);
    await deeds.copyAndSeal(day);
    await deeds.readAll(day);
    await deeds.breakStore(day);
    harvest(day);
    return result(day);
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    await relay[Symbol.asyncDispose]();
    throw error;
  }
}

/** What went over the wire unseen: tokens that were issued, codes, verifiers and handles of device logins. */
function harvest({ relay, canaries }: Day): void {
  for (const { body } of relay.answers()) {
    const text = new TextDecoder().decode(body);
    if (!text.startsWith("{")) continue;
    let fields: Record<string, unknown>;
    try {
      fields = JSON.parse(text);
    } catch {
      continue;
    }
    plantLogin(canaries, fields as never);
    for (const [name, kind] of WIRE_SECRETS) if (typeof fields[name] === "string") canaries.plant(kind, fields[name]);
  }
  const sent = relay.sent();
  for (const [name, kind] of WIRE_SECRETS)
    for (const [, value] of sent.matchAll(new RegExp(`(?:\\b${name}=|"${name}":")([^&"\\s]{16,})`, "g")))
      canaries.plant(kind, decodeURIComponent(value!));
}

const WIRE_SECRETS = [
  ["code", "authorization code"],
  ["authorization_code", "authorization code"],
  ["code_verifier", "PKCE verifier"],
  ["device_auth_id", "device handle"],
] as const;

function result(day: Day): CanaryDay {
  const { stage, relay, canaries, said, commands, answered } = day;
  return {
    canaries,
    home: day.daemon.home,
    said,
    commands,
    answered,
    files: () => [
      ...filesBelow(stage.folder).map((path) => ({
        name: `file ${relative(stage.folder, path)}`,
        bytes: readFileSync(path),
      })),
      { name: "what the store keeps packed", bytes: packedText(join(day.daemon.home, "rotor.db")) },
    ],
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) return filesBelow(path);
    return stat.isFile() ? [path] : [];
  });
}
