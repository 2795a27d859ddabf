/**
 * `rotor account relogin`, `refresh`, `probe`, `clear-cooldown` and `remove`: what concerns the logins of accounts.
 */

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { type Account, HoldKind } from "../../gen/rotor/v1/account_pb.ts";
import {
  ClearAccountCooldownResponseSchema,
  type LoginStep,
  LoginStepState,
  ProbeAccountsResponseSchema,
  RefreshAccountResponseSchema,
  RefreshAccountsResponseSchema,
  RemoveAccountResponseSchema,
} from "../../gen/rotor/v1/account_service_pb.ts";
import { ACCOUNTS_ARGUMENT, namesText, SELECTION_OPTIONS, selected } from "../account-selection.ts";
import type { Command, Context, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import type { ExitCode } from "../failure.ts";
import { runLogin } from "../login/login-flow.ts";
import { chosenMethod, METHOD_OPTIONS } from "../login/login-method.ts";
import { followSteps } from "../login/login-steps.ts";
import { printable } from "../print.ts";
import { resolveAccount } from "../resolve.ts";
import { loginText, stateText } from "../text/account-text.ts";
import { ACCOUNT_ARGUMENT, listAccounts } from "./account.ts";

const DRY_RUN = { name: "dry-run", about: "say what would be done and why; send nothing" };

const relogin: Command = {
  path: ["account", "relogin"],
  summary: "sign in again to an account that is here, keeping all but its login",
  details: [
    "Alias, history and the operator's switch stay. A sign-in to any other account is refused; nothing changes then.",
  ],
  args: [ACCOUNT_ARGUMENT],
  options: METHOD_OPTIONS,
  examples: ["rotor account relogin work", "rotor account relogin work --device"],
  starts: true,
  async run(context, input) {
    const chosen = chosenMethod(context, input);
    const account = resolveAccount(await listAccounts(context), input.arg(0) ?? "");
    const command = `rotor account relogin ${account.alias}`;
    await runLogin(context, { chosen, alias: null, accountId: account.id, email: account.email, command });
  },
};

const refresh: Command = {
  path: ["account", "refresh"],
  summary: "renew the logins of accounts now, whether they are due or not",
  details: [
    "Two at a time. Ctrl-C stops after those under way. Accounts whose login another program renews, and those that need a login, are passed over with the reason. --json prints every step, one JSON document a line.",
  ],
  args: [ACCOUNTS_ARGUMENT],
  options: [...SELECTION_OPTIONS, DRY_RUN],
  examples: ["rotor account refresh work", "rotor account refresh --all --dry-run"],
  starts: true,
  async run(context, input) {
    const accounts = await selected(context, input);
    const link = await context.daemon();
    const [first, ...others] = accounts;
    const request = { accountIds: accounts.map((account) => account.id), dryRun: input.has("dry-run") };
    if (others.length === 0 && input.rest(0).length === 1 && !request.dryRun) return await refreshOne(context, first!);
    const answers = link.watch.accounts.refreshAccounts(request, { signal: context.io.interrupted });
    return await followSteps(context, steps(context, answers, RefreshAccountsResponseSchema), request.dryRun);
  },
};

/** One account by its name: its own error and hint, where one of many gets a line. */
async function refreshOne({ daemon, print, nowMs }: Context, account: Account): Promise<ExitCode> {
  print.note(`renewing the login of ${account.alias} …`);
  const response = await (await daemon()).accounts.refreshAccount({ accountId: account.id });
  if (print.asJson(RefreshAccountResponseSchema, response)) return 0;
  print.note(`renewed; the new access token lasts ${loginText(response.account!, nowMs())}`);
  return 0;
}

const probe: Command = {
  path: ["account", "probe"],
  summary: "find out whether logins work and what is left, and restore those that do",
  details: [
    "A login that works is renewed only when its access token has expired. One that was lost is tried once, and only when its refresh token is untried; otherwise it says why not, and rotor account relogin helps.",
    "What is left is asked of the usage endpoint, which costs nothing. --model sends one tiny request to each account and says so first.",
  ],
  args: [ACCOUNTS_ARGUMENT],
  options: [
    { name: "needs-login", about: "every account whose login is lost" },
    { name: "model", value: "MODEL", about: "also send one tiny request to this model; it counts" },
    { name: "effort", value: "EFFORT", about: "reasoning effort of that request; low if not said" },
    ...SELECTION_OPTIONS,
    DRY_RUN,
    YES_OPTION,
  ],
  examples: [
    "rotor account probe work",
    "rotor account probe --needs-login --dry-run",
    "rotor account probe --all --model gpt-5.5 --yes",
  ],
  starts: true,
  async run(context, input) {
    const accounts = await probed(context, input);
    const { print, io } = context;
    if (accounts.length === 0) return void print.note("no account needs a login");
    const model = input.value("model") ?? "";
    const effort = input.value("effort") ?? "";
    if (effort !== "" && model === "")
      throw new AppError("bad_usage", "--effort says how hard the model of --model may think, and there is none");
    const request = { accountIds: accounts.map((account) => account.id), dryRun: input.has("dry-run"), model, effort };
    if (model !== "" && !request.dryRun) {
      const each = accounts.length === 1 ? accounts[0]!.alias : `each of ${accounts.length} accounts`;
      const question = `Send one tiny request to ${model} on ${each}? It counts against the windows.`;
      await confirm(context, input, { question, command: `rotor account probe … --model ${model} --yes` });
    }
    const link = await context.daemon();
    const answers = link.watch.accounts.probeAccounts(request, { signal: io.interrupted });
    return await followSteps(context, steps(context, answers, ProbeAccountsResponseSchema), request.dryRun);
  },
};

async function probed(context: Context, input: Input) {
  const isNamed = input.rest(0).length > 0 || input.has("all") || input.value("tag") !== null;
  const accounts = input.has("needs-login") && !isNamed ? await listAccounts(context) : await selected(context, input);
  const isLost = (account: (typeof accounts)[number]) =>
    account.holds.some((hold) => hold.kind === HoldKind.NEEDS_LOGIN);
  return input.has("needs-login") ? accounts.filter(isLost) : accounts;
}

async function* steps<Desc extends DescMessage>(
  { print }: Context,
  answers: AsyncIterable<MessageShape<Desc> & { step?: LoginStep }>,
  schema: Desc,
): AsyncGenerator<LoginStep> {
  for await (const answer of answers) {
    if (print.json) print.message(schema, answer);
    if (answer.step !== undefined && answer.step.state !== LoginStepState.UNSPECIFIED) yield answer.step;
  }
}

const clearCooldown: Command = {
  path: ["account", "clear-cooldown"],
  summary: "end cooldowns early",
  details: ["Used-up windows stay: only time or upstream ends those."],
  args: [ACCOUNTS_ARGUMENT],
  options: SELECTION_OPTIONS,
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const link = await context.daemon();
    for (const { id, alias } of await selected(context, input)) {
      const response = await link.accounts.clearAccountCooldown({ accountId: id });
      if (print.asJson(ClearAccountCooldownResponseSchema, response)) continue;
      print.note(`${alias}: ${response.account === undefined ? "done" : stateText(response.account, nowMs())}`);
    }
  },
};

const remove: Command = {
  path: ["account", "remove"],
  summary: "forget accounts and their logins",
  details: [
    "The logins themselves stay valid upstream; other programs that hold them are not touched. --revoke ends them there too, for every program that uses them.",
  ],
  args: [ACCOUNTS_ARGUMENT],
  options: [
    { name: "revoke", about: "end the logins upstream too" },
    ...SELECTION_OPTIONS,
    { name: "dry-run", about: "say which would be removed and change nothing" },
    YES_OPTION,
  ],
  examples: ["rotor account remove spare", "rotor account remove --tag trial --dry-run"],
  starts: true,
  run: removeAccounts,
};

async function removeAccounts(context: Context, input: Input): Promise<ExitCode> {
  const { print } = context;
  const accounts = await selected(context, input);
  const revoke = input.has("revoke");
  if (input.has("dry-run")) {
    if (print.json) print.value({ would_remove: accounts.map((account) => account.alias), revoke });
    for (const { alias } of accounts) print.note(`${alias} would be removed${revoke ? " and its login revoked" : ""}`);
    return 0;
  }
  const what = accounts.length === 1 ? "its login" : "their logins";
  const question = `Forget ${namesText(accounts)} and ${what}${revoke ? ", here and upstream" : ""}?`;
  const names = input.has("all") ? "--all" : accounts.map((account) => account.alias).join(" ");
  await confirm(context, input, {
    question,
    command: `rotor account remove ${names}${revoke ? " --revoke" : ""} --yes`,
  });
  const link = await context.daemon();
  for (const { id, alias } of accounts) {
    const response = await link.accounts.removeAccount({ accountId: id, revoke });
    if (print.asJson(RemoveAccountResponseSchema, response)) continue;
    print.note(revoke ? `${alias} is removed and its login revoked` : `${alias} is removed`);
    for (const mention of response.mentions) print.warning(`still named by ${printable(mention)}`);
  }
  return 0;
}

export const accountLoginCommands: readonly Command[] = [relogin, refresh, probe, clearCooldown, remove];
