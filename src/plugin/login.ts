/**
 * "Rotor" in `opencode auth login`: begins a login of Rotor's and waits for its end. It has a provider of its own there, so that OpenCode's
 * own ways to sign in stay in their menu, and nothing is stored in OpenCode: the login is Rotor's.
 */
import type { Link } from "./link.ts";
import type { LoginJson } from "./wire.ts";

const LOOK_EVERY_MS = 1_000;
/** Upstream's own patience with an open login. */
const LOGIN_LIMIT_MS = 15 * 60_000;

export function authHook(link: Link) {
  const method = (label: string, kind: "BROWSER" | "DEVICE") => ({
    type: "oauth" as const,
    label,
    authorize: () => begin(link, kind),
  });
  return {
    provider: "rotor",
    methods: [
      method("Rotor: add a ChatGPT account (browser)", "BROWSER"),
      method("Rotor: add a ChatGPT account (a code, from any browser)", "DEVICE"),
    ],
  };
}

async function begin(link: Link, kind: "BROWSER" | "DEVICE") {
  await link.greet();
  const started = await link.call<{ login?: LoginJson }>(
    "LoginService/StartLogin",
    { method: `LOGIN_METHOD_${kind}` },
    60_000,
  );
  const { id = "", authorizeUrl = "", verificationUrl = "", userCode = "" } = started.login ?? {};
  return {
    url: authorizeUrl || verificationUrl,
    instructions:
      kind === "DEVICE"
        ? `Open that page anywhere and type the code ${userCode}. The login is kept by Rotor, not by OpenCode.`
        : "Sign in in the browser. The login is kept by Rotor, not by OpenCode. Without a browser here: rotor login --device",
    method: "auto" as const,
    callback: async () => ({ type: (await completes(link, id)) ? ("success" as const) : ("failed" as const) }),
  };
}

async function completes(link: Link, id: string): Promise<boolean> {
  for (const untilMs = Date.now() + LOGIN_LIMIT_MS; Date.now() < untilMs; ) {
    const { logins = [] } = await link.call<{ logins?: readonly LoginJson[] }>("LoginService/ListLogins");
    const state = logins.find((login) => login.id === id)?.state;
    if (state !== "LOGIN_STATE_PENDING") return state === "LOGIN_STATE_COMPLETED";
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return false;
}
