/** The list of `rotor login --from`, what is planned for it, and one run through it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError } from "../../../src/base/errors.ts";
import { parseLoginList } from "../../../src/cli/login/login-list.ts";
import { onlyEntries, planLogins } from "../../../src/cli/login/login-plan.ts";
import type { Account } from "../../../src/gen/rotor/v1/account_pb.ts";
import { HoldKind } from "../../../src/gen/rotor/v1/account_pb.ts";
import { LoginState } from "../../../src/gen/rotor/v1/login_service_pb.ts";
import { accountOf } from "../../support/fake-engine.ts";
import { accountMessage, type LoginStage, listFile, openLoginStage } from "../login-stage.ts";

const LOST = { holds: [{ kind: HoldKind.NEEDS_LOGIN }] };

describe("the list", () => {
  test("addresses, aliases, marks and comments", () => {
    const { entries, faults } = parseLoginList(
      "\ufeff# mine\r\nAnn@Example.org  Work\n\n\tbob@example.org # no alias\rcid@example.org\tspare disabled\neve@example.org DISABLED\na#b@example.org",
    );
    expect(faults).toEqual([]);
    expect(entries).toEqual([
      { line: 2, email: "ann@example.org", alias: "work", disabled: false },
      { line: 4, email: "bob@example.org", alias: null, disabled: false },
      { line: 5, email: "cid@example.org", alias: "spare", disabled: true },
      { line: 6, email: "eve@example.org", alias: null, disabled: true },
      { line: 7, email: "a#b@example.org", alias: null, disabled: false },
    ]);
  });

  test("what looks like a password is refused with its place, and is repeated nowhere", () => {
    const secrets = [
      "Tr0ub4dor&3",
      "hunter2 JBSWY3DPEHPK3PXP",
      "correct horse",
      "12345678",
      ":s3cret",
      "|s3cret",
      ";s3cret",
      ",s3cret",
    ];
    for (const secret of secrets) {
      const glue = /^[:;|,]/.test(secret) ? "" : " ";
      const { entries, faults } = parseLoginList(`ok@example.org\nann@example.org${glue}${secret}`);
      expect(entries).toHaveLength(1);
      expect(faults).toEqual([{ line: 2, message: expect.stringContaining("Rotor never takes one") }]);
      for (const word of secret.split(/[\s:;|,]+/).filter(Boolean)) expect(faults[0]!.message).not.toContain(word);
    }
  });

  test("one address twice needs aliases; one alias twice is a slip", () => {
    expect(parseLoginList("a@x.org one\na@x.org two").faults).toEqual([]);
    expect(parseLoginList("a@x.org one\nA@x.org").faults[0]).toMatchObject({
      line: 2,
      message: expect.stringContaining("line 1"),
    });
    expect(parseLoginList("a@x.org\n\na@x.org two").faults[0]!.line).toBe(3);
    expect(parseLoginList("a@x.org one\nb@x.org ONE").faults[0]!.message).toBe(
      "the alias one stands in line 1 already",
    );
    expect(parseLoginList("nobody").faults[0]!.message).toBe("does not begin with an e-mail address");
    expect(parseLoginList(Array.from({ length: 1_002 }, (_, i) => `a${i}@x.org`).join("\n")).faults).toHaveLength(1);
  });

  test("property: any text parses, every line of it is taken, named as faulty, or empty", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("a@x.org", "b@x.org:pw", "work", "disabled", "#", "\t", "\ufeff"),
    );
    const text = fc.array(fc.array(word).map((words) => words.join(" "))).map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (given) => {
        const { entries, faults } = parseLoginList(given);
        const lines = given.split(/\r\n|\n|\r/).length;
        const places = [...entries, ...faults].map(({ line }) => line);
        expect(new Set(places).size).toBe(places.length);
        for (const place of places) expect(place >= 1 && place <= lines).toBe(true);
        for (const { email, alias } of entries) {
          expect(email).toMatch(/^\S+@\S+\.\S+$/);
          if (alias !== null) expect(alias).toMatch(/^[a-z0-9._-]{1,40}$/);
        }
        // What it takes, it takes again.
        const again = entries.map((entry) => `${entry.email} ${entry.alias ?? ""} ${entry.disabled ? "disabled" : ""}`);
        expect(parseLoginList(again.join("\n")).entries).toEqual(
          entries.map((entry, i) => ({ ...entry, line: i + 1 })),
        );
      }),
    );
  });
});

describe("the plan", () => {
  const plan = (list: string, ...accounts: Account[]) =>
    planLogins(parseLoginList(list).entries, accounts).map(({ action, account }) => [action, account?.alias ?? null]);

  test("what works is left alone, what is lost is renewed, what is missing is added", () => {
    const work = accountMessage("work");
    expect(plan("work@example.org", work)).toEqual([["skip", null]]);
    expect(plan("work@example.org other", work)).toEqual([["skip", null]]);
    expect(plan("WORK@example.org Work", work)).toEqual([["skip", null]]);
    expect(plan("new@example.org", work)).toEqual([["add", null]]);
    expect(plan("new@example.org work", work)).toEqual([["refuse", null]]);
    expect(plan("new@example.org disabled", work)).toEqual([["skip", null]]);
    expect(plan("work@example.org", accountMessage("work", LOST))).toEqual([["renew", "work"]]);
    expect(plan("work@example.org work", accountMessage("work", LOST))).toEqual([["renew", "work"]]);
    const disabled = accountMessage("work", { enabled: false, holds: [{ kind: HoldKind.DISABLED }] });
    expect(plan("work@example.org", disabled)).toEqual([["skip", null]]);
  });

  test("several accounts of one address: any that works will do, and only the sign-in tells two lost ones apart", () => {
    const email = "ann@example.org";
    const lost = (alias: string) => accountMessage(alias, { email, ...LOST });
    expect(plan(email, lost("one"), accountMessage("two", { email }))).toEqual([["skip", null]]);
    expect(plan(email, lost("one"), lost("two"))).toEqual([["renew", null]]);
    expect(plan(`${email} one\n${email} two`, accountMessage("one", { email }))).toEqual([
      ["skip", null],
      ["add", null],
    ]);
  });

  test("one line is meant by its alias first, then by its address", () => {
    const { entries } = parseLoginList("a@x.org one\na@x.org two\nb@x.org");
    expect(onlyEntries(entries, "ONE").map(({ line }) => line)).toEqual([1]);
    expect(onlyEntries(entries, "A@x.org").map(({ line }) => line)).toEqual([1, 2]);
    expect(onlyEntries(entries, "nobody")).toEqual([]);
  });

  test("property: planning again after every login was done leaves nothing to do", () => {
    const name = fc.constantFrom("a", "b", "c", "d");
    const account = fc.tuple(name, name, fc.boolean());
    const line = fc.tuple(name, fc.option(name), fc.boolean());
    fc.assert(
      fc.property(fc.array(line), fc.uniqueArray(account, { selector: ([alias]) => alias }), (lines, known) => {
        const text = lines.map(([email, alias, off]) => `${email}@x.org ${alias ?? ""} ${off ? "disabled" : ""}`);
        const { entries } = parseLoginList(text.join("\n"));
        let accounts = known.map(([alias, email, lost]) =>
          accountMessage(alias, { email: `${email}@x.org`, ...(lost ? LOST : {}) }),
        );
        for (const [i] of entries.entries()) {
          const { entry, action, account: renewed } = planLogins(entries, accounts)[i]!;
          if (action === "renew") {
            const lucky = renewed ?? accounts.find(({ email }) => email === entry.email)!;
            accounts = accounts.map((each) =>
              each === lucky ? accountMessage(each.alias, { email: each.email }) : each,
            );
          } else if (action === "add") {
            accounts.push(accountMessage(entry.alias ?? `made-up-${i}`, { email: entry.email }));
          }
        }
        for (const { action } of planLogins(entries, accounts)) expect(["skip", "refuse"]).toContain(action);
      }),
    );
  });
});

describe("a run", () => {
  let stage: LoginStage;
  beforeEach(async () => {
    stage = await openLoginStage();
  });
  afterEach(() => stage.close());

  const LIST =
    "work@example.org work\nann@example.org ann\nbob@example.org\noff@example.org disabled\ncid@example.org cid\n";
  const known = () => {
    stage.engine.put(accountOf("work"));
    stage.engine.put(accountOf("bob", { login: { kind: "needs_login", reason: "gone", sinceMs: 0 } }));
  };
  const signInAsHinted = () => {
    stage.onStart = (login) => {
      const { loginHint, accountId } = stage.started.at(-1)!;
      stage.complete(login.id, accountMessage(loginHint.split("@")[0]!), accountId === "");
    };
  };

  test("--check says what would be done and does nothing", async () => {
    known();
    const { out, err, exit } = await stage.run({}, "login", "--from", await listFile(LIST), "--check");
    expect(exit).toBe(0);
    expect(out.split("\n").map((line) => line.replace(/ +/g, " ").trim())).toEqual([
      "LINE ACTION E-MAIL ALIAS REASON",
      "1 would skip work@example.org work its login works",
      "2 would add ann@example.org ann –",
      "3 would renew bob@example.org – the login of bob is lost",
      "4 would skip off@example.org – marked disabled in the list",
      "5 would add cid@example.org cid –",
      "",
    ]);
    expect(err).toBe("nothing was changed (--check)\n");
    const json = await stage.run({}, "login", "--from", await listFile(LIST), "--check", "--only", "ann", "--json");
    const entry = { line: 2, email: "ann@example.org", alias: "ann", action: "add", reason: null };
    expect(JSON.parse(json.out)).toEqual({ entries: [entry] });
    expect(stage.started).toEqual([]);
  });

  test("signs in to what is missing or lost, with the address as hint, and says how far it is", async () => {
    known();
    signInAsHinted();
    const { err, exit } = await stage.run({}, "login", "--from", await listFile(LIST), "--device");
    expect(exit).toBe(0);
    expect(stage.started.map(({ alias, accountId, loginHint }) => [alias, accountId, loginHint])).toEqual([
      ["ann", "", "ann@example.org"],
      ["", accountOf("bob").id, "bob@example.org"],
      ["cid", "", "cid@example.org"],
    ]);
    expect(err).toContain("work@example.org as work: skipped, its login works\n");
    for (const text of [
      "(1/3) ann@example.org as ann: sign in\n",
      "(2/3) bob@example.org: sign in again\n",
      "(3/3) cid",
    ]) {
      expect(err).toContain(text);
    }
    expect(err).toEndWith("\n2 added, 1 renewed, 2 skipped\n");
  });

  test("a login that fails does not stop the others; the rest is a matter of the same command", async () => {
    stage.onStart = (login) => {
      const { loginHint } = stage.started.at(-1)!;
      if (loginHint.startsWith("ann")) stage.change(login.id, { state: LoginState.FAILED, errorMessage: "said no" });
      else stage.complete(login.id, accountMessage(loginHint.split("@")[0]!));
    };
    const path = await listFile("ann@example.org\nbob@example.org\n");
    const { err, exit } = await stage.run({}, "login", "--from", path, "--device");
    expect(exit).toBe(1);
    expect(err).toContain("ann@example.org: said no\n  try: rotor login --device\n");
    expect(err).toEndWith(`1 added, 1 failed; for the rest: rotor login --from ${path} --device\n`);
    stage.onStart = (login) => stage.change(login.id, { state: LoginState.EXPIRED });
    expect((await stage.run({}, "login", "--from", path, "--device")).err).toContain("nobody signed in in time");
    expect(stage.started.splice(2)).toHaveLength(1);
    stage.nextFailure = new AppError("address_in_use", "both ports are taken");
    const ports = await stage.run({}, "login", "--from", path, "--no-browser");
    expect(ports.exit).toBe(1);
    expect(stage.started).toHaveLength(3);
  });

  test("at a terminal each begins with Enter; s leaves one out, q ends it, Ctrl-C calls off the open one", async () => {
    signInAsHinted();
    const path = await listFile("ann@example.org\nbob@example.org\ncid@example.org\ndan@example.org\n");
    const run = await stage.run({ columns: 80, answer: ["s", "", "q"] }, "login", "--from", path, "--device");
    expect(run.exit).toBe(0);
    expect(stage.started.map(({ loginHint }) => loginHint)).toEqual(["bob@example.org"]);
    expect(run.err).toEndWith(`1 added, 3 left out; for the rest: rotor login --from ${path} --device\n`);
    stage.onStart = () => {};
    const interrupt = new AbortController();
    const running = stage.run({ interrupt }, "login", "--from", path, "--device");
    await stage.watched();
    interrupt.abort();
    expect(await running).toMatchObject({ exit: 130, err: expect.stringContaining("the login was called off") });
    expect(stage.logins().at(-1)!.state).toBe(LoginState.CANCELED);
  });

  test("whoever signs in as somebody else is told so", async () => {
    stage.onStart = (login) => stage.complete(login.id, accountMessage("eve"));
    const other = await stage.run({}, "login", "--from", await listFile("ann@example.org ann"), "--device");
    expect(other.err).toContain("warning: line 1 says ann@example.org, but eve@example.org signed in as eve\n");
    stage.onStart = (login) => stage.complete(login.id, accountMessage("ann"), false);
    const same = await stage.run({}, "login", "--from", await listFile("ann@example.org second"), "--device");
    expect(same.err).toContain("warning: that was ann, which was here already; second (line 1) is still missing\n");
  });

  test("a bad list begins nothing and names its places; so do an absent file and a line that is not there", async () => {
    const path = await listFile("ann@example.org hunter2 x\nbob@example.org\nnobody\n");
    const bad = await stage.run({}, "login", "--from", path);
    expect(bad.exit).toBe(2);
    expect(bad.err).toContain(`${path}: line 1 looks as if it held a password; Rotor never takes one`);
    expect(bad.err).toContain("line 3 does not begin with an e-mail address");
    expect(bad.err).not.toContain("hunter2");
    expect((await stage.run({}, "login", "--from", "/does/not/exist")).err).toContain("it does not exist");
    expect((await stage.run({}, "login", "--from", await listFile("# none\n"))).err).toContain(
      "holds no e-mail address",
    );
    const only = await stage.run({}, "login", "--from", await listFile("ann@example.org work"), "--only", "wrk");
    expect(only.err).toContain('there is no line in the list for "wrk" (did you mean work?)');
    expect(stage.started).toEqual([]);
  });

  test("a list on standard input, and every step as JSON", async () => {
    signInAsHinted();
    const { out, exit } = await stage.run(
      { stdin: "ann@example.org ann\n" },
      "login",
      "--from",
      "-",
      "--device",
      "--json",
    );
    expect(exit).toBe(0);
    const [first, ...rest] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      entry: { line: 1, email: "ann@example.org", alias: "ann", action: "add", reason: null, number: 1, of: 1 },
    });
    expect(rest.at(-2).login.state).toBe("LOGIN_STATE_COMPLETED");
    expect(rest.at(-1)).toEqual({ summary: { added: 1, renewed: 0, failed: 0, left: 0, refused: 0, skipped: 0 } });
  });
});
