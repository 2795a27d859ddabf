/**
 * A program like the Codex CLI, as a process: it keeps its login in an auth.json, and when upstream refuses its access token it looks at the
 * file again, renews the login and writes it there. Programs of its kind take turns by a lock file; what it renews it says.
 * Arguments: FILE UPSTREAM ISSUER CLIENT_ID "in-place" | "rename". One line on stdin = one request; the answer is one line on stdout.
 */
import { closeSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";

const [file, upstream, issuer, clientId, manner] = process.argv.slice(2) as [string, string, string, string, string];

interface Held {
  tokens: { access_token: string; refresh_token: string; id_token: string; account_id: string };
  last_refresh: string;
}

/** Another one may be writing in place. */
async function held(): Promise<Held> {
  for (;;) {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as Held;
    } catch {
      await Bun.sleep(1);
    }
  }
}

/** With the account beside the token, as the Codex CLI does: upstream refuses one without the other. */
async function isAccepted({ access_token, account_id }: Held["tokens"]): Promise<boolean> {
  const headers = { authorization: `Bearer ${access_token}`, "chatgpt-account-id": account_id };
  const answer = await fetch(`${upstream}/wham/usage`, { headers });
  await answer.text();
  return answer.status !== 401;
}

async function inTurn(work: () => Promise<string>): Promise<string> {
  for (;;) {
    try {
      closeSync(openSync(`${file}.turn`, "wx"));
      break;
    } catch {
      await Bun.sleep(1);
    }
  }
  try {
    return await work();
  } finally {
    unlinkSync(`${file}.turn`);
  }
}

function put(next: Held): void {
  const text = JSON.stringify(next, null, 2);
  if (manner === "in-place") {
    writeFileSync(file, text);
    return;
  }
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function request(): Promise<string> {
  const before = await held();
  if (await isAccepted(before.tokens)) return "served";
  return inTurn(async () => {
    const now = await held();
    if (now.tokens.refresh_token !== before.tokens.refresh_token) return "adopted";
    const answer = await fetch(`${issuer}/oauth/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        client_id: clientId,
        grant_type: "refresh_token",
        refresh_token: now.tokens.refresh_token,
      }),
    });
    const fresh = (await answer.json()) as Record<string, string>;
    if (!answer.ok) return `refused ${answer.status}`;
    const { access_token, refresh_token, id_token } = fresh as unknown as Held["tokens"];
    put({
      ...now,
      tokens: { ...now.tokens, access_token, refresh_token, id_token },
      last_refresh: new Date().toISOString(),
    });
    return "renewed";
  });
}

for await (const _line of console) console.log(await request());
