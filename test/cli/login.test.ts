/** `rotor login` at the terminal: what is shown, what is asked of the daemon, and how each end looks. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../src/base/errors.ts";
import { LoginMethod, LoginState, WorkspaceSchema } from "../../src/gen/rotor/v1/login_service_pb.ts";
import { until } from "../control/harness.ts";
import { accountOf } from "../support/fake-engine.ts";
import type { RunOptions } from "./harness.ts";
import { accountMessage, type LoginStage, openLoginStage } from "./login-stage.ts";

let stage: LoginStage;
beforeEach(async () => {
  stage = await openLoginStage();
});
afterEach(() => stage.close());

const URL_SHOWN = "https://auth.example.org/oauth/authorize?state=abc&x=1";
const DISPLAY: RunOptions = { env: { DISPLAY: ":0" } };
const signIn = () => {
  stage.onStart = (login) => stage.complete(login.id, accountMessage("work"));
};

test("a browser login opens the address, shows it, and says what came of it", async () => {
  const opened: string[] = [];
  const { out, err, exit } = await stage.run(
    {
      ...DISPLAY,
      onOpen(url) {
        opened.push(url);
        stage.complete("login-1", accountMessage("work"));
        return true;
      },
    },
    "login",
    "work",
  );
  expect({ out, exit }).toEqual({ out: `${URL_SHOWN}\nadded work: work@example.org, plus, workspace ws-1\n`, exit: 0 });
  expect(err).toStartWith("opening a browser; if none comes up, open this address on this machine:\n");
  expect(opened).toEqual([URL_SHOWN]);
  expect(stage.started[0]).toMatchObject({ method: LoginMethod.BROWSER, alias: "work", accountId: "", loginHint: "" });
});

test("--workspace takes the name that an account shows, or an id; what is neither is refused before anything opens", async () => {
  stage.engine.put(accountOf("office", { workspaceId: "ws-acme", workspaceName: "Acme Inc" }));
  signIn();
  for (const [given, id] of [
    ["acme inc", "ws-acme"],
    ["ws-other", "ws-other"],
  ] as const) {
    expect((await stage.run(DISPLAY, "login", "--workspace", given)).exit).toBe(0);
    expect(stage.started.at(-1)!.workspaceId).toBe(id);
  }
  const count = stage.started.length;
  const { err, exit } = await stage.run(DISPLAY, "login", "--workspace", "Nobody Ltd");
  expect([exit, stage.started.length]).toEqual([2, count]);
  expect(err).toContain('no account here is in a workspace called "Nobody Ltd"; give its id');
});

test("a browser that does not come up is said, and the login goes on", async () => {
  const running = stage.run({ ...DISPLAY, onOpen: () => false }, "login");
  await stage.watched();
  stage.complete("login-1", accountMessage("work"));
  const { err, exit } = await running;
  expect(exit).toBe(0);
  expect(err).toContain("no browser could be opened; open the address yourself\n");
});

test("--no-browser opens nothing and names the tunnel to somebody on SSH", async () => {
  signIn();
  const onOpen = () => {
    throw new Error("opened");
  };
  const { out, err } = await stage.run({ env: { SSH_TTY: "/dev/pts/1" }, onOpen }, "login", "--no-browser");
  expect(out).toStartWith(`${URL_SHOWN}\n`);
  expect(err).toContain("ssh -L 1455:127.0.0.1:1455 …");
  expect(stage.started[0]!.method).toBe(LoginMethod.BROWSER);
});

test("a device login on a terminal shows code, page and a QR code; in a pipe no QR code", async () => {
  signIn();
  const wide = await stage.run({ columns: 80, env: { NO_COLOR: "1" } }, "login");
  expect(wide.err).toContain(
    "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set), so this is a login with a code",
  );
  expect(wide.out).toContain("█");
  expect(wide.out).toContain("page  https://auth.example.org/codex/device\ncode  ABCD-12345\n");
  const narrow = await stage.run({ columns: 20, env: { NO_COLOR: "1" } }, "login", "--device");
  expect(narrow.out).not.toContain("█");
  const piped = await stage.run({}, "login", "--device");
  expect(piped.out).toStartWith("page  https://auth.example.org/codex/device\ncode  ABCD-12345\nadded work");
  expect(piped.err).toMatch(/waiting until .*; Ctrl-C calls it off\n/);
});

test("a countdown stands on the terminal while nobody has signed in", async () => {
  const running = stage.run({ columns: 80 }, "login", "--device");
  await stage.watched();
  stage.complete("login-1", accountMessage("work"));
  expect((await running).err).toContain("waiting for you to sign in, 15m left; Ctrl-C calls it off");
});

test("a pasted address is handed in; one that the daemon does not take is asked for again", async () => {
  stage.onCallback = (login, url) => {
    if (!url.includes("code=")) throw new AppError("invalid_callback", "there is no code in it");
    stage.complete(login.id, accountMessage("work"));
  };
  const answer = ["http://localhost:1455/", "http://localhost:1455/auth/callback?code=1&state=2", "n"];
  const { err, exit } = await stage.run({ answer, columns: 80 }, "login", "--manual");
  expect(exit).toBe(0);
  expect(err).toContain("that does not do: there is no code in it\n");
  expect(stage.handedIn).toEqual(answer.slice(0, 2));
});

test("a piped address is handed in without a question; an empty pipe and a wrong address end the login", async () => {
  stage.onCallback = (login) => stage.complete(login.id, accountMessage("work"));
  const piped = await stage.run({ stdin: "http://localhost:1455/auth/callback?code=1&state=2\n" }, "login", "--manual");
  expect(piped.exit).toBe(0);
  expect(piped.err).not.toContain("The address it ended at");
  const empty = await stage.run({ stdin: "" }, "login", "--manual");
  expect(empty).toMatchObject({
    exit: 1,
    err: expect.stringContaining("no address was given; the login was called off"),
  });
  stage.onCallback = () => {
    throw new AppError("invalid_callback", "there is no code in it");
  };
  const wrong = await stage.run({ stdin: "nonsense\n" }, "login", "--manual");
  expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining("rotor login: there is no code in it") });
  expect(stage.logins().map(({ state }) => state)).toEqual([
    LoginState.COMPLETED,
    LoginState.CANCELED,
    LoginState.CANCELED,
  ]);
});

test("Ctrl-C calls the login off at the daemon and says so", async () => {
  for (const argv of [
    ["login", "--device"],
    ["login", "--manual"],
  ]) {
    const interrupt = new AbortController();
    const answer = argv.includes("--manual") ? [] : undefined;
    const running = stage.run({ interrupt, answer }, ...argv);
    const count = stage.logins().length + 1;
    await until("begun", () => stage.logins().length === count);
    // Before that the ctl may not know the login's id yet.
    await stage.watched();
    interrupt.abort();
    const { err, exit } = await running;
    expect(exit).toBe(130);
    expect(err).toEndWith("rotor login: the login was called off\n");
    expect(stage.logins().at(-1)!.state).toBe(LoginState.CANCELED);
  }
});

test("a login that was done when Ctrl-C came is done", async () => {
  const interrupt = new AbortController();
  const onOpen = () => {
    stage.complete("login-1", accountMessage("work"));
    interrupt.abort();
    return true;
  };
  const { out, exit } = await stage.run({ ...DISPLAY, interrupt, onOpen }, "login");
  expect(out).toContain("added work");
  expect(exit).toBe(0);
});

test("every other end is a failure with the command that mends it", async () => {
  const cases: [Parameters<LoginStage["change"]>[1], number, RegExp][] = [
    [{ state: LoginState.EXPIRED }, 1, /nobody signed in in time\n {2}try: rotor login --device\n$/],
    [{ state: LoginState.CANCELED }, 1, /the login was called off\n {2}try: rotor login --device\n$/],
    [
      { state: LoginState.FAILED, errorCode: "login_refused", errorMessage: "said no" },
      1,
      /said no\n {2}try: rotor login --device\n$/,
    ],
    [
      { state: LoginState.FAILED, errorCode: "of_tomorrow", errorMessage: "new" },
      1,
      /new\n {2}try: rotor login --device\n$/,
    ],
    [
      { state: LoginState.FAILED, errorCode: "wrong_identity", errorMessage: "other" },
      5,
      /other\n {2}try: sign in to the account/,
    ],
  ];
  for (const [changes, exit, err] of cases) {
    stage.onStart = (login) => stage.change(login.id, changes);
    const run = await stage.run({}, "login", "--device");
    expect(run.exit).toBe(exit);
    expect(run.err).toMatch(err);
  }
  stage.nextFailure = new AppError("address_in_use", "both ports are taken");
  expect((await stage.run(DISPLAY, "login", "--browser")).err).toEndWith("  try: rotor login --device\n");
  stage.nextFailure = new AppError("alias_taken", "work is taken");
  expect((await stage.run(DISPLAY, "login", "work")).err).toEndWith("  try: rotor account relogin work\n");
});

test("on a terminal it asks for another one, and takes no for the default", async () => {
  stage.onStart = (login) => stage.complete(login.id, accountMessage(login.id));
  const { out, err, exit } = await stage.run(
    { columns: 80, answer: ["y", "second", ""] },
    "login",
    "first",
    "--device",
  );
  expect(exit).toBe(0);
  expect(stage.started.map(({ alias }) => alias)).toEqual(["first", "second"]);
  expect(out.match(/added login-/g)).toHaveLength(2);
  expect(err.match(/Add another\? \[y\/N\]/g)).toHaveLength(2);
});

test("somebody who is in several workspaces is offered the others, by number or name, one after another", async () => {
  const left = [
    { id: "ws-2", name: "Acme" },
    { id: "ws-3", name: "Beta Labs" },
  ];
  stage.onStart = (login) => {
    const here = stage.started.map(({ workspaceId }) => workspaceId);
    const others = left.filter(({ id }) => !here.includes(id)).map((one) => create(WorkspaceSchema, one));
    stage.change(login.id, { otherWorkspaces: others });
    stage.complete(login.id, accountMessage(login.id));
  };
  const answers = ["9", "2", "acme", ""];
  const { err, exit } = await stage.run({ columns: 80, answer: answers }, "login", "first", "--device");
  expect(exit).toBe(0);
  expect(stage.started.map(({ alias, workspaceId }) => [alias, workspaceId])).toEqual([
    ["first", ""],
    ["", "ws-3"],
    ["", "ws-2"],
  ]);
  expect(err).toContain("1 Acme, 2 Beta Labs");
  expect(err).toContain("say a number from 1 to 2");
});

test("without a terminal the others are named with the command that signs in to them", async () => {
  stage.onStart = (login) => {
    stage.change(login.id, { otherWorkspaces: [create(WorkspaceSchema, { id: "ws-2", name: "Acme" })] });
    stage.complete(login.id, accountMessage(login.id));
  };
  const { err } = await stage.run({}, "login", "--device");
  expect(err).toContain("Acme (rotor login --workspace ws-2)");
  expect(stage.started).toHaveLength(1);
});

test("--json prints every change and asks nothing", async () => {
  const running = stage.run({ columns: 80, answer: [] }, "login", "--device", "--json");
  await stage.watched();
  stage.complete("login-1", accountMessage("work"));
  const { out, err } = await running;
  const states = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).login.state);
  expect(states[0]).toBe("LOGIN_STATE_PENDING");
  expect(states.at(-1)).toBe("LOGIN_STATE_COMPLETED");
  expect(err).toBe("");
  stage.onStart = (login) => stage.change(login.id, { state: LoginState.EXPIRED });
  const failed = await stage.run({}, "login", "--device", "--json");
  expect(JSON.parse(failed.err).error.code).toBe("login_expired");
});

test("relogin names the account and its address; a disabled one is said to stay so", async () => {
  stage.engine.put(accountOf("work", { enabled: false }));
  stage.onStart = (login) => stage.complete(login.id, accountMessage("work", { enabled: false }), false);
  const { out, err, exit } = await stage.run({}, "account", "relogin", "work", "--device");
  expect(exit).toBe(0);
  expect(out).toContain("renewed work: work@example.org, plus, workspace ws-1\n");
  expect(err).toContain("it stays disabled; let it serve with: rotor account enable work\n");
  expect(stage.started[0]).toMatchObject({ alias: "", accountId: accountOf("work").id, loginHint: "work@example.org" });
});

test("list shows logins, cancel ends one or all", async () => {
  expect((await stage.run({}, "login", "list")).err).toBe("no login is open; begin one with: rotor login\n");
  const running = ["--device", "--manual"].map((way) => stage.run({ answer: [] }, "login", way));
  await until("both begun", () => stage.logins().length === 2);
  const { out } = await stage.run({}, "login", "list");
  expect(out).toMatch(/^# +ID +METHOD +STATE +BEGAN +WHAT\n1 +login-2 +\w+ +pending +now +expires in 15m /);
  expect((await stage.run({}, "login", "cancel")).exit).toBe(2);
  expect((await stage.run({}, "login", "cancel", "nobody")).exit).toBe(4);
  expect((await stage.run({}, "login", "cancel", "login-")).err).toContain('"login-" begins several ids');
  expect((await stage.run({}, "login", "cancel", "2")).err).toBe("login login-1 is called off\n");
  expect((await stage.run({}, "login", "cancel", "login-1")).err).toBe("login login-1 had ended already\n");
  expect((await stage.run({}, "login", "cancel", "--all")).err).toBe("login login-2 is called off\n");
  expect((await stage.run({}, "login", "cancel", "--all")).err).toBe("no login is open\n");
  for (const { exit, err } of await Promise.all(running)) {
    expect(exit).toBe(1);
    expect(err).toContain("rotor login: the login was called off");
  }
});

test("contradicting options are refused before anything begins", async () => {
  const cases = [
    ["login", "--device", "--manual"],
    ["login", "--browser", "--device"],
    ["account", "relogin", "x", "--no-browser", "--manual"],
    ["login", "--check"],
    ["login", "--only", "x"],
    ["login", "x", "--from", "list.txt"],
    ["login", "--from", "list.txt", "--manual"],
  ];
  for (const argv of cases) expect({ argv, exit: (await stage.run({}, ...argv)).exit }).toEqual({ argv, exit: 2 });
  expect(stage.started).toEqual([]);
});
