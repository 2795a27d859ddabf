/**
 * One login from its start to its end, as the person at the terminal sees it. The daemon does the login; whoever leaves early here has
 * called it off there.
 */
import { AppError } from "../../base/errors.ts";
import { type Login, LoginMethod, LoginState, WatchLoginResponseSchema } from "../../gen/rotor/v1/login_service_pb.ts";
import type { Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { formatClock, formatDuration } from "../text/time-text.ts";
import { toMs } from "../text/wire-text.ts";
import { type ChosenMethod, isRemote, methodFlag } from "./login-method.ts";
import { doneText, failureOfLogin, instruction } from "./login-text.ts";
import { qrLines } from "./qr-code.ts";

export interface LoginOrder {
  readonly chosen: ChosenMethod;
  /** Alias for an account that turns out to be new; null for the daemon's choice. */
  readonly alias: string | null;
  /** Renews this account and no other. */
  readonly accountId: string | null;
  /** The one workspace that may be signed in to; absent: the person chooses. */
  readonly workspaceId?: string;
  /** E-mail address for the sign-in page. */
  readonly email: string | null;
  /** The command without options, for hints: `rotor login`. */
  readonly command: string;
}

/** Often enough for a countdown in seconds. */
const COUNTDOWN_MS = 1_000;

/** Resolves with a completed login, said on the terminal. Rejects when it ended in any other way. */
export async function runLogin(context: Context, order: LoginOrder): Promise<Login> {
  const { print } = context;
  const link = await context.daemon();
  const started = await start(link, order);
  const ended = await followLogin(context, link, started, order);
  if (ended.state !== LoginState.COMPLETED) {
    throw failureOfLogin(ended, `${order.command}${methodFlag(order.chosen)}`);
  }
  if (!print.json) print.line(print.style.good(doneText(ended)));
  if (ended.account && !ended.account.enabled) {
    print.note(`it stays disabled; let it serve with: rotor account enable ${ended.account.alias}`);
  }
  return ended;
}

async function start(link: DaemonLink, order: LoginOrder): Promise<Login> {
  try {
    const { login } = await link.logins.startLogin({
      method: order.chosen.method,
      alias: order.alias ?? "",
      accountId: order.accountId ?? "",
      loginHint: order.email ?? "",
      workspaceId: order.workspaceId ?? "",
    });
    if (login !== undefined) return login;
  } catch (thrown) {
    const { code, message } = failureOf(thrown);
    // The daemon knows what is wrong; which command of ours goes round it, we know better.
    if (code === "alias_taken" && order.alias !== null) {
      throw new AppError(code, message, { hint: `rotor account relogin ${order.alias}`, cause: thrown });
    }
    if (code === "address_in_use")
      throw new AppError(code, message, { hint: `${order.command} --device`, cause: thrown });
    throw thrown;
  }
  throw new AppError("internal", "the daemon answered without the login");
}

async function followLogin(context: Context, link: DaemonLink, login: Login, order: LoginOrder): Promise<Login> {
  const { io, print } = context;
  const over = new AbortController();
  const watched = watchToEnd(context, link, login);
  // Awaited below, but not when something else fails first; its failure then is that one's echo.
  watched.catch(() => {});
  try {
    if (!print.json) showLogin(context, login, order.chosen);
    if (order.chosen.opens) void openOrSay(context, login.authorizeUrl, over.signal);
    if (login.method === LoginMethod.MANUAL) {
      await Promise.race([watched, pasteAddress(context, link, login, over.signal)]);
    } else void countDown(context, login, over.signal);
    return await watched;
  } catch (thrown) {
    over.abort();
    print.progress(null);
    const final = await callOff(context, login.id);
    if (final?.state === LoginState.COMPLETED) return final;
    if (!io.interrupted.aborted) throw thrown;
    const message = final === null ? "stopped; the login stays open until it expires" : "the login was called off";
    throw new AppError("canceled", message, { hint: final === null ? "rotor login list" : null, cause: thrown });
  } finally {
    over.abort();
    print.progress(null);
  }
}

/** The stream ends with the login. */
async function watchToEnd({ print }: Context, link: DaemonLink, started: Login): Promise<Login> {
  let last = started;
  for await (const response of link.watch.logins.watchLogin({ loginId: started.id })) {
    if (print.json) print.message(WatchLoginResponseSchema, response);
    last = response.login ?? last;
    if (last.state !== LoginState.PENDING) return last;
  }
  throw new AppError("daemon_unreachable", "the daemon has stopped, and the login with it", { hint: "rotor up" });
}

function showLogin({ io, print, nowMs }: Context, login: Login, chosen: ChosenMethod): void {
  if (chosen.because !== null) {
    print.note(`${chosen.because}, so this is a login with a code (other ways: --browser, --no-browser, --manual)`);
  }
  print.note(instruction(login, { opens: chosen.opens, remote: isRemote(io.host.env) }));
  if (login.method === LoginMethod.DEVICE) {
    for (const line of qrLines(login.verificationUrl, print)) print.line(line);
    print.line(`page  ${printable(login.verificationUrl)}`);
    print.line(`code  ${print.style.bold(printable(login.userCode))}`);
  } else print.line(printable(login.authorizeUrl));
  const endMs = toMs(login.expireTime);
  if (endMs !== null && (!io.stderr.isTty || login.method === LoginMethod.MANUAL)) {
    print.note(`waiting until ${formatClock(endMs, nowMs())}; Ctrl-C calls it off`);
  }
}

async function openOrSay({ io, print }: Context, url: string, over: AbortSignal): Promise<void> {
  const opened = await io.openUrl(url);
  if (!opened && !over.aborted) print.note("no browser could be opened; open the address yourself");
}

async function countDown({ io, print, nowMs }: Context, login: Login, over: AbortSignal): Promise<void> {
  const endMs = toMs(login.expireTime);
  while (!over.aborted && endMs !== null) {
    print.progress(
      `waiting for you to sign in, ${formatDuration(Math.max(0, endMs - nowMs()))} left; Ctrl-C calls it off`,
    );
    await io.clock.sleep(COUNTDOWN_MS, over).catch(() => {});
  }
}

/** Asks for the address until the daemon takes one. Whoever gives none has called it off. */
async function pasteAddress(context: Context, link: DaemonLink, login: Login, over: AbortSignal): Promise<void> {
  const { io, print } = context;
  const asks = io.stdinIsTty && !print.json;
  for (;;) {
    const typed = (await io.ask(asks ? "The address it ended at: " : "", over)).trim();
    if (over.aborted || io.interrupted.aborted) return;
    if (typed === "") throw new AppError("canceled", "no address was given; the login was called off", { hint: null });
    try {
      await link.logins.completeLogin({ loginId: login.id, callbackUrl: typed });
      return;
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (!asks || failure.code !== "invalid_callback") throw thrown;
      print.failure(`that does not do: ${printable(failure.message)}`);
    }
  }
}

/** Ends the login at the daemon; null when that could not be done. */
async function callOff(context: Context, loginId: string): Promise<Login | null> {
  try {
    const link = await context.daemonForTidying();
    return (await link?.logins.cancelLogin({ loginId }))?.login ?? null;
  } catch {
    return null;
  }
}
