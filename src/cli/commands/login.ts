/**
 * `rotor login`: people sign in, and accounts come of it. `rotor account relogin` shares its options.
 */
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  CancelLoginResponseSchema,
  ListLoginsResponseSchema,
  type Login,
  LoginState,
} from "../../gen/rotor/v1/login_service_pb.ts";
import type { Command, Context } from "../command.ts";
import { bulkLogin } from "../login/login-bulk.ts";
import { runLogin } from "../login/login-flow.ts";
import { chosenMethod, METHOD_OPTIONS } from "../login/login-method.ts";
import { loginTable } from "../login/login-text.ts";
import { chooseWorkspace, isAtTerminal } from "../login/login-workspaces.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";
import { listAccounts } from "./account.ts";

const login: Command = {
  path: ["login"],
  summary: "sign in and add the account to the pool",
  details: [
    "Without an option: a browser where one can be opened, else a code that is typed on a page. On a terminal it asks for another one afterwards. --json prints the login after every change, one JSON document a line.",
    "Whoever is in several workspaces is offered the others when the first is there.",
    "rotor login list and rotor login cancel show and end logins that are open.",
  ],
  args: [{ name: "ALIAS", about: "name for the account; without it one is made up", optional: true }],
  options: [
    ...METHOD_OPTIONS,
    {
      name: "from",
      value: "FILE",
      about: "sign in to many: lines of an e-mail address and an alias",
      completes: "file",
    },
    {
      name: "workspace",
      value: "NAME|ID",
      about: "sign in to this workspace and no other: the name or id that an account here shows, or any id",
    },
    { name: "check", about: "with --from: say what would be done and do nothing" },
    { name: "only", value: "ALIAS|EMAIL", about: "with --from: that line alone" },
  ],
  examples: ["rotor login work", "rotor login --device", "rotor login --from list.txt --check"],
  starts: true,
  async run(context, input) {
    const chosen = chosenMethod(context, input);
    const source = input.value("from");
    if (source !== null) {
      if (input.arg(0) !== null) throw usage("--from takes the aliases from the list");
      if (input.value("workspace") !== null)
        throw usage("--from signs in wherever the person chooses; leave --workspace out");
      if (input.has("manual") && (!context.io.stdinIsTty || context.print.json)) {
        throw usage("--from with --manual needs somebody at a terminal");
      }
      const only = input.value("only");
      return await bulkLogin(context, { source, chosen, only, check: input.has("check") });
    }
    if (input.has("check") || input.value("only") !== null) throw usage("--check and --only belong to --from");
    let alias = input.arg(0);
    const workspace = input.value("workspace");
    let workspaceId = workspace === null ? undefined : resolveWorkspace(await listAccounts(context), workspace);
    for (;;) {
      const order = { chosen, alias, accountId: null, email: null, workspaceId, command: "rotor login" };
      workspaceId = (await chooseWorkspace(context, await runLogin(context, order))) ?? undefined;
      alias = null;
      if (workspaceId !== undefined) continue;
      if (!(await wantsAnother(context))) return 0;
      alias = (await context.io.ask("Its alias (Enter: one is made up): ")).trim() || null;
    }
  },
};

/** A name that an account shows, else an id as it stands: a workspace that nobody here is in has no other name for us. */
function resolveWorkspace(accounts: readonly Account[], name: string): string {
  const wanted = name.trim();
  const named = accounts.filter(({ workspaceName }) => workspaceName.toLowerCase() === wanted.toLowerCase());
  const ids = [...new Set(named.map(({ workspaceId }) => workspaceId))];
  if (ids.length > 1) throw usage(`several workspaces are called ${printable(wanted)}; give its id: ${ids.join(", ")}`);
  if (ids.length === 0 && !/^[\w-]+$/.test(wanted))
    throw usage(`no account here is in a workspace called "${printable(wanted)}"; give its id`);
  return ids[0] ?? wanted;
}

function usage(message: string): AppError {
  return new AppError("bad_usage", message, { hint: "rotor help login" });
}

async function wantsAnother({ io, print }: Context): Promise<boolean> {
  if (!isAtTerminal(io, print)) return false;
  const typed = (await io.ask("Add another? [y/N] ")).trim().toLowerCase();
  return !io.interrupted.aborted && (typed === "y" || typed === "yes");
}

const list: Command = {
  path: ["login", "list"],
  summary: "logins that are open, and those that ended within the last hour",
  starts: true,
  async run({ daemon, print, nowMs }) {
    const response = await (await daemon()).logins.listLogins({});
    if (print.asJson(ListLoginsResponseSchema, response)) return;
    if (response.logins.length === 0) {
      print.note("no login is open; begin one with: rotor login");
      return;
    }
    const view = { nowMs: nowMs(), width: print.columns, header: print.style.bold };
    for (const line of loginTable(response.logins, view)) print.line(line);
  },
};

const cancel: Command = {
  path: ["login", "cancel"],
  summary: "call off a login that is open",
  args: [{ name: "ID", about: "id or list number, or an unambiguous beginning of the id", optional: true }],
  options: [{ name: "all", about: "every open login" }],
  examples: ["rotor login cancel 1", "rotor login cancel --all"],
  starts: true,
  async run({ daemon, print }, input) {
    const name = input.arg(0);
    if ((name === null) === !input.has("all")) {
      throw new AppError("bad_usage", "say which login, or --all", { hint: "rotor login list" });
    }
    const link = await daemon();
    const { logins } = await link.logins.listLogins({});
    const meant = name === null ? logins.filter(isOpen) : [resolveLogin(logins, name)];
    if (meant.length === 0) print.note("no login is open");
    for (const entry of meant) {
      const response = await link.logins.cancelLogin({ loginId: entry.id });
      if (print.asJson(CancelLoginResponseSchema, response)) continue;
      const byUs = isOpen(entry) && response.login?.state === LoginState.CANCELED;
      print.note(`login ${printable(entry.id)} ${byUs ? "is called off" : "had ended already"}`);
    }
  },
};

function isOpen({ state }: Login): boolean {
  return state === LoginState.PENDING;
}

function resolveLogin(logins: readonly Login[], name: string): Login {
  const wanted = name.trim();
  const exact = logins.find((entry) => entry.id === wanted);
  const numbered = /^\d{1,3}$/.test(wanted) ? logins[Number(wanted) - 1] : undefined;
  if (exact ?? numbered) return (exact ?? numbered)!;
  const starting = wanted === "" ? [] : logins.filter((entry) => entry.id.startsWith(wanted));
  if (starting.length === 1) return starting[0]!;
  if (starting.length > 1) {
    throw new AppError("bad_usage", `"${printable(wanted)}" begins several ids`, { hint: "rotor login list" });
  }
  throw new AppError("login_not_found", notFound("login", wanted, []));
}

export const loginCommands: readonly Command[] = [login, list, cancel];
