/**
 * What a daemon may be doing when it is killed, and which accounts and keys there may be afterwards. An act that was answered counts
 * whole; of one that was cut off, what it would have added or taken away may be there or not.
 */
import { existsSync, readFileSync } from "node:fs";
import type { AccountJson, KeyJson } from "./control.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Chance } from "./seed.ts";
import type { Stage } from "./stage.ts";

export interface CrashRoom {
  readonly stage: Stage;
  readonly chance: Chance;
  /** The auth.json of another program. */
  readonly authFile: string;
  daemon: DaemonProcess;
  /** Accounts that were acknowledged, by e-mail address; and client keys by name, with their secret. */
  readonly accounts: Set<string>;
  readonly keys: Map<string, string>;
  /** Names that are free. */
  next: number;
}

export interface Act {
  /** Runs it; rejects when it was cut off. */
  run(): Promise<unknown>;
  /** E-mail addresses and names of keys that it brings or takes away. */
  readonly adds?: readonly string[];
  readonly removes?: readonly string[];
  readonly addsKey?: string;
  readonly removesKey?: string;
  /** Its order in the audit log. */
  readonly action: string;
  /** The issuer lets a used refresh token be used once more while this runs. */
  readonly grace: boolean;
  /** Accounts whose login a crash may cost without grace. */
  readonly risks?: readonly string[];
}

type Make = (room: CrashRoom, accounts: readonly AccountJson[]) => Promise<Act> | Act;

export const PASSPHRASE = "correct horse battery staple";
const MOST_ACCOUNTS = 7;

const freshPerson = ({ stage, next }: CrashRoom, number = 0) => {
  const alias = `p${next}${number === 0 ? "" : `-${number}`}`;
  return { email: `${alias}@people.example`, ...stage.sim.addAccount({ alias, email: `${alias}@people.example` }) };
};

const login: Make = async (room) => {
  const { daemon, stage } = room;
  const { email, account } = freshPerson(room);
  const { login: begun } = await daemon.control.call<{ login: { id: string; authorizeUrl: string } }>(
    "LoginService/StartLogin",
    { method: "LOGIN_METHOD_MANUAL" },
  );
  stage.sim.oauth.autoApprove = account.alias;
  const sent = await fetch(begun.authorizeUrl, { redirect: "manual" });
  const request = { loginId: begun.id, callbackUrl: sent.headers.get("location")! };
  const run = () => daemon.control.call("LoginService/CompleteLogin", request);
  return { run, adds: [email], action: "login.complete", grace: true };
};

const bringIn: Make = (room) => {
  const people = [freshPerson(room, 1), freshPerson(room, 2)];
  const data = Buffer.from(JSON.stringify(people.map(({ auth }) => auth))).toString("base64");
  return {
    run: () => room.daemon.control.call("TransferService/ImportAccounts", { files: [{ name: "auth.json", data }] }),
    adds: people.map(({ email }) => email),
    action: "account.import",
    grace: true,
  };
};

const refresh =
  (grace: boolean): Make =>
  ({ daemon, chance }, accounts) => {
    const chosen = accounts.filter(() => chance.fraction() < 0.6);
    const calls = () => chosen.map(({ id }) => daemon.control.call("AccountService/RefreshAccount", { accountId: id }));
    return {
      run: () => Promise.all(calls()),
      action: chosen.length === 0 ? "" : "account.refresh",
      grace,
      risks: grace ? [] : chosen.map(({ email }) => email!),
    };
  };

const changeSeal: Make = async ({ daemon, chance }) => {
  const guard = chance.pick(["SEAL_GUARD_KEY_FILE", "SEAL_GUARD_PASSPHRASE"]);
  const keepOldKey = chance.fraction() < 0.3;
  const run = () => daemon.control.call("SealService/ChangeSeal", { guard, passphrase: PASSPHRASE, keepOldKey });
  return { run, action: "seal.change", grace: true };
};

const rotate: Make = ({ daemon }) => ({
  run: () => daemon.control.call("SealService/RotateDataKey"),
  action: "seal.rotate_data_key",
  grace: true,
});

const backup: Make = ({ daemon }) => ({
  run: () => daemon.control.call("BackupService/CreateBackup"),
  action: "backup.create",
  grace: true,
});

/** Of everything as it is, after one of the accounts was taken away. */
const restore: Make = async ({ daemon, chance, accounts: known }, accounts) => {
  const { backup: made } = await daemon.control.call<{ backup: { name: string } }>("BackupService/CreateBackup");
  const gone = chance.pick(accounts);
  await daemon.control.call("AccountService/RemoveAccount", { accountId: gone.id });
  known.delete(gone.email!);
  const run = () => daemon.control.call("BackupService/RestoreBackup", { name: made.name });
  return { run, adds: [gone.email!], action: "backup.restore", grace: true };
};

/** Whose login the file holds; nothing when there is none. It may have no account any more: then a switch takes it in before it goes. */
function inFile(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  const { tokens } = JSON.parse(readFileSync(file, "utf8")) as { tokens: { id_token: string } };
  const [, payload] = tokens.id_token.split(".");
  return [(JSON.parse(Buffer.from(payload!, "base64url").toString()) as { email: string }).email];
}

const switchTo: Make = ({ daemon, chance, authFile }, accounts) => {
  const request = { accountId: chance.pick(accounts).id, path: authFile };
  return {
    run: () => daemon.control.call("TransferService/SwitchAccount", request),
    adds: inFile(authFile),
    action: "transfer.switch_account",
    grace: true,
  };
};

const edit: Make = (room, accounts) => {
  const { control } = room.daemon;
  const [one, other] = [room.chance.pick(accounts), room.chance.pick(accounts)];
  const run = async () => {
    await control.call("AccountService/UpdateAccount", { accountId: one.id, alias: `named-${room.next}` });
    const accountIds = [...new Set([one.id, other.id])];
    await control.call("AccountService/UpdateAccounts", { accountIds, addTags: ["tagged"], note: `of ${room.next}` });
  };
  return { run, action: "account.update", grace: true };
};

const remove: Make = ({ daemon, chance }, accounts) => {
  const gone = chance.pick(accounts);
  const run = () => daemon.control.call("AccountService/RemoveAccount", { accountId: gone.id });
  return { run, removes: [gone.email!], action: "account.remove", grace: true };
};

const createKey: Make = (room) => {
  const name = `key-${room.next}`;
  const run = async () => room.keys.set(name, await room.daemon.control.createKey(name));
  return { run, addsKey: name, action: "key.create", grace: true };
};

const revokeKey: Make = async ({ daemon, keys }) => {
  const name = [...keys.keys()].at(-1)!;
  const listed = await daemon.control.call<{ keys: KeyJson[] }>("KeyService/ListKeys");
  const keyId = listed.keys.find((key) => key.name === name)!.id;
  return {
    run: () => daemon.control.call("KeyService/RevokeKey", { keyId }),
    removesKey: name,
    action: "key.revoke",
    grace: true,
  };
};

const ACTS = {
  ...{ login, import: bringIn, "refresh with grace": refresh(true), "refresh without grace": refresh(false) },
  ...{ "seal change": changeSeal, "seal rotate": rotate, backup, restore, switch: switchTo, edit, remove },
  ...{ "key create": createKey, "key revoke": revokeKey },
} satisfies Record<string, Make>;

export type ActName = keyof typeof ACTS;
export const ACT_NAMES = Object.keys(ACTS) as ActName[];

/** The act of that name, or one that makes room for it or gives it something to act on. */
export async function makeAct(wanted: ActName, room: CrashRoom): Promise<{ name: ActName; act: Act }> {
  room.next++;
  const accounts = await room.daemon.control.accounts();
  let name = wanted;
  if (accounts.length < 3) name = "import";
  else if (accounts.length > MOST_ACCOUNTS && ["login", "import"].includes(name)) name = "remove";
  else if (name === "key revoke" && room.keys.size < 2) name = "key create";
  else if (name === "key create" && room.keys.size > 4) name = "key revoke";
  return { name, act: await ACTS[name](room, accounts) };
}

/** The file of the other program is whole, whatever was cut off. */
export function isWholeLogin(file: string): boolean {
  if (!existsSync(file)) return true;
  const { tokens } = JSON.parse(readFileSync(file, "utf8")) as { tokens?: { refresh_token?: string } };
  return typeof tokens?.refresh_token === "string";
}
