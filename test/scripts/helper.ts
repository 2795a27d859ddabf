/**
 * Programs for scripts: `ask` sends a request as a client would, `sim` steers the simulator, `until-grown` waits for a file that another
 * process writes, `field` picks one value out of JSON on standard input, `xdg-open` is a browser and `sign-in` a person with one,
 * `to-store` a replaced product and `cmp-login` a look at two files of logins.
 */
import { readFileSync, statSync } from "node:fs";

const [name, ...args] = process.argv.slice(2);

/** `ask [PROMPT] [MODEL]`: the status, then the text or the refusal. */
async function ask(): Promise<void> {
  const { proxy_url } = JSON.parse(readFileSync(`${process.env.ROTOR_HOME}/daemon.json`, "utf8"));
  const [prompt = "Say hello.", model = "gpt-5.5"] = args;
  const response = await fetch(`${proxy_url}/v1/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.ROTOR_KEY ?? ""}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream: true, input: [{ role: "user", content: prompt }] }),
  });
  const text = await response.text();
  if (response.ok) {
    const types = [...text.matchAll(/^data: (\{.*\})$/gm)].map((match) => JSON.parse(match[1]!).type as string);
    console.log(`${response.status} ${types[0]} … ${types.at(-1)}`);
    return;
  }
  const { error } = JSON.parse(text);
  const retry = response.headers.get("retry-after");
  console.log(`${response.status} ${error.type} ${error.code}${retry === null ? "" : ` retry-after ${retry}`}`);
}

/** `sim METHOD PATH [JSON]`. */
async function sim(): Promise<void> {
  const [method, path, body] = args;
  const headers = { "x-rotor-sim": "1", "content-type": "application/json" };
  const response = await fetch(`${process.env.SIM}/__sim/v1/${path}`, { method, headers, body });
  if (!response.ok) console.log(`${response.status} ${await response.text()}`);
}

/** `until-grown FILE [TEXT]`: until it holds a line, or the text. A minute at most. */
async function untilGrown(): Promise<void> {
  const [file, text = "\n"] = args;
  for (let tries = 0; tries < 6_000; tries++) {
    const size = statSync(file!, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && readFileSync(file!, "utf8").includes(text)) return;
    await Bun.sleep(10);
  }
  console.log(`${file} never held ${JSON.stringify(text)}`);
  process.exitCode = 1;
}

/** `field a.0.b`: one value of the JSON on standard input. */
async function field(): Promise<void> {
  let value: unknown = JSON.parse(await Bun.stdin.text());
  for (const key of args[0]!.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
  console.log(typeof value === "string" ? value : JSON.stringify(value));
}

/** `xdg-open URL`: a browser whose person agrees to everything (oauth.autoApprove); what it shows at the end goes to a file. */
async function openPage(): Promise<void> {
  const page = await fetch(args[0]!);
  await Bun.write(`${process.env.HOME}/page.html`, await page.text());
}

/** `sign-in ACCOUNT FILE`: opens the address in the file, signs in, and prints the address at which the browser would end. */
async function signIn(): Promise<void> {
  const [account, file] = args;
  const url = /https?:\S*\/oauth\/authorize\?[^\s"]+/.exec(readFileSync(file!, "utf8"))?.[0];
  const headers = { "x-rotor-sim": "1", "content-type": "application/json" };
  const body = JSON.stringify({ url, account });
  const response = await fetch(`${process.env.SIM}/__sim/v1/authorize`, { method: "POST", headers, body });
  console.log(((await response.json()) as { redirectUrl?: string }).redirectUrl ?? `refused with ${response.status}`);
}

type Login = { tokens: Record<string, string> };

/** `to-store < logins.json`: the same logins as opencode-multi-auth keeps them, with a forced account. */
async function toStore(): Promise<void> {
  const logins = JSON.parse(await Bun.stdin.text()) as Login[];
  const stored = ({ tokens }: Login, alias: string) => ({
    alias,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    accountId: tokens.account_id,
    tags: ["team"],
  });
  const accounts = Object.fromEntries(["work", "home", "spare"].map((alias, i) => [alias, stored(logins[i]!, alias)]));
  console.log(
    JSON.stringify({ version: 2, accounts, activeAlias: "work", forcedAlias: "home", rotationStrategy: "round-robin" }),
  );
}

/** `cmp-login FILE LIST`: whether FILE holds the first login of LIST. */
async function compareLogin(): Promise<void> {
  const [one, [other]] = args.map((file) => JSON.parse(readFileSync(file, "utf8"))) as [Login, Login[]];
  const isSame = ["access_token", "refresh_token"].every((key) => one.tokens[key] === other!.tokens[key]);
  console.log(isSame ? "the same login" : "another login");
}

const programs: Record<string, () => Promise<void>> = {
  ask,
  sim,
  "until-grown": untilGrown,
  field,
  "xdg-open": openPage,
  "sign-in": signIn,
  "to-store": toStore,
  "cmp-login": compareLogin,
};
await programs[name!]!();
