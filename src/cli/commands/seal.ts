/**
 * `rotor seal …`: what the stored logins are sealed with, and whether it is open.
 */
import { AppError } from "../../base/errors.ts";
import {
  ChangeSealResponseSchema,
  GetSealResponseSchema,
  LockSealResponseSchema,
  RotateDataKeyResponseSchema,
  type Seal,
  type SealChange,
  SealGuard,
  SealGuardSchema,
  UnlockSealResponseSchema,
} from "../../gen/rotor/v1/seal_service_pb.ts";
import type { Command } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { askNewPassphrase, askPassphrase } from "../passphrase-prompt.ts";
import { printable } from "../print.ts";
import { renderFacts } from "../text/table.ts";
import { formatAgo } from "../text/time-text.ts";
import { enumText, toMs } from "../text/wire-text.ts";

const GUARDS: Readonly<Record<string, SealGuard>> = {
  "key-file": SealGuard.KEY_FILE,
  passphrase: SealGuard.PASSPHRASE,
  keychain: SealGuard.KEYCHAIN,
};

const show: Command = {
  path: ["seal", "show"],
  summary: "what the stored logins are sealed with, and whether it is open",
  starts: true,
  async run({ daemon, print, nowMs }) {
    const response = await (await daemon()).seal.getSeal({});
    if (print.asJson(GetSealResponseSchema, response)) return;
    for (const line of renderFacts(sealFacts(response.seal!, nowMs()), print.columns)) print.line(line);
  },
};

function sealFacts(seal: Seal, nowMs: number): [string, string][] {
  const [guardMs, keyMs] = [toMs(seal.guardTime), toMs(seal.dataKeyTime)];
  const facts: [string, string][] = [["seal", seal.locked ? `locked: ${printable(seal.lockReason)}` : "open"]];
  if (seal.locked) facts.push(["", "try: rotor seal unlock"]);
  facts.push(["guard", `${guardText(seal.guard)} (${printable(seal.place)})`]);
  if (guardMs !== null) facts.push(["key", `${seal.fingerprint}, since ${formatAgo(guardMs, nowMs)}`]);
  if (keyMs !== null) facts.push(["data key", `number ${seal.dataKeyNumber}, made ${formatAgo(keyMs, nowMs)}`]);
  for (const { guard, available, refusal } of seal.options) {
    if (guard === seal.guard) continue;
    const here = available ? `rotor seal change ${guardText(guard)}` : `not here: ${printable(refusal)}`;
    facts.push([guardText(guard), here]);
  }
  return facts;
}

function guardText(guard: SealGuard): string {
  return enumText(SealGuardSchema, guard);
}

const unlock: Command = {
  path: ["seal", "unlock"],
  summary: "open the seal, and serve",
  details: [
    "Asks for the passphrase where one guards the seal, or reads it from the first line of standard input. A key file or a keychain is asked again.",
  ],
  examples: ["rotor seal unlock", "rotor seal unlock < passphrase.txt"],
  starts: true,
  async run(context) {
    const { print } = context;
    const link = await context.daemon();
    const { seal } = await link.seal.getSeal({});
    const response = await link.seal.unlockSeal({ passphrase: await passphraseFor(seal!, context) });
    if (print.asJson(UnlockSealResponseSchema, response)) return;
    print.note(seal!.locked ? "the seal is open" : "the seal is open already");
  },
};

function passphraseFor(seal: Seal, context: Parameters<typeof askPassphrase>[0]): Promise<string> | string {
  if (!seal.locked || seal.guard !== SealGuard.PASSPHRASE) return "";
  return seal.fingerprint === "" ? askNewPassphrase(context, "rotor seal unlock") : askPassphrase(context);
}

const lock: Command = {
  path: ["seal", "lock"],
  summary: "forget the keys: nothing is served until rotor seal unlock",
  details: ["Answers under way run to their end. No login is lost."],
  starts: true,
  async run({ daemon, print }) {
    const response = await (await daemon()).seal.lockSeal({});
    if (print.asJson(LockSealResponseSchema, response)) return;
    print.note("the seal is locked; open it with: rotor seal unlock");
  },
};

const change: Command = {
  path: ["seal", "change"],
  summary: "guard the seal by something else, or by a new key or passphrase",
  details: [
    "The old guard opens the seal until the new one is on the disk; then its key is taken away. Backups that were made before are opened by the old key: keep it with --keep-old-key.",
    "A new passphrase is asked for twice, or read from the first line of standard input.",
  ],
  args: [{ name: "GUARD", about: "keychain, passphrase or key-file", completes: Object.keys(GUARDS) }],
  options: [
    { name: "keep-old-key", about: "leave the old key where it is, for backups made before" },
    { name: "dry-run", about: "say what would change and change nothing" },
    YES_OPTION,
  ],
  examples: ["rotor seal change passphrase", "rotor seal change keychain --dry-run"],
  starts: true,
  async run(context, input) {
    const { print, daemon } = context;
    const name = (input.arg(0) ?? "").replace("_", "-");
    const guard = GUARDS[name];
    if (guard === undefined) {
      const known = Object.keys(GUARDS).join(", ");
      throw new AppError("bad_usage", `there is no guard ${name}; there are: ${known}`, {
        hint: "rotor help seal change",
      });
    }
    const { seal } = await daemon();
    const order = { guard, keepOldKey: input.has("keep-old-key"), dryRun: input.has("dry-run") };
    if (!order.dryRun && guard !== SealGuard.PASSPHRASE) {
      await confirm(context, input, {
        question: order.keepOldKey ? "Change the guard?" : "Change the guard, and take the old key away?",
        command: `rotor seal change ${name} --yes`,
      });
    }
    const isNew = guard === SealGuard.PASSPHRASE && !order.dryRun;
    const passphrase = isNew
      ? await askNewPassphrase(context, "rotor seal change passphrase")
      : order.dryRun
        ? DRY_PASSPHRASE
        : "";
    const response = await seal.changeSeal({ ...order, passphrase });
    if (print.asJson(ChangeSealResponseSchema, response)) return;
    for (const line of renderFacts(changeFacts(response.change!), print.columns)) print.line(line);
    print.note(order.dryRun ? "nothing was changed (--dry-run)" : "the guard is changed");
    if (guard === SealGuard.PASSPHRASE) print.note(ASKED_AGAIN);
  },
};

const ASKED_AGAIN =
  "after a start of the daemon: rotor seal unlock, or give it the passphrase by ROTOR_PASSPHRASE_FILE (rotor help seal)";

/** A dry run asks nobody for a passphrase that it would not use. */
const DRY_PASSPHRASE = "dry run";

function changeFacts(change: SealChange): [string, string][] {
  const keyless = change.oldGuard === SealGuard.PASSPHRASE;
  const old = keyless ? "opens nothing new any more" : change.oldKeyStays ? "its key stays" : "its key is taken away";
  return [
    ["from", `${guardText(change.oldGuard)} (${printable(change.oldPlace)}); ${old}`],
    ["to", `${guardText(change.newGuard)} (${printable(change.newPlace)})`],
  ];
}

const rotate: Command = {
  path: ["seal", "rotate"],
  summary: "seal every login again under a new data key",
  details: ["The guard stays. All logins or none; whatever happens meanwhile, every login opens."],
  starts: true,
  async run({ daemon, print }) {
    const response = await (await daemon()).seal.rotateDataKey({});
    if (print.asJson(RotateDataKeyResponseSchema, response)) return;
    const logins = response.resealedCount === 1 ? "1 login" : `${response.resealedCount} logins`;
    print.note(`sealed ${logins} again, under data key number ${response.seal!.dataKeyNumber}`);
  },
};

export const sealCommands: readonly Command[] = [show, unlock, lock, change, rotate];
