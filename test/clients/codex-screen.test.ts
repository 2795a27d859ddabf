/**
 * The interactive Codex in front of a terminal, over WebSocket and over HTTP: turns and a tool call through the pool, an account that runs out
 * between two turns, what `/status` shows of limits, and that nothing stays behind when it ends.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { nextAccount } from "./exchanges.ts";
import { ACCOUNTS, inWorld, rotorCommand, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Screen } from "./terminal.ts";
import type { SeenRequest } from "./upstream.ts";
import { withLogin } from "./with-login.ts";

setDefaultTimeout(180_000);

/** What a test must switch off so that Codex asks nobody but its model. */
const OFFLINE = `check_for_update_on_startup = false

[tui]
show_tooltips = false

[features]
plugins = false
apps = false

[analytics]
enabled = false
`;
/** Its screen fetches announcements, whatever its config says (Codex 0.169). */
const ANNOUNCEMENTS = /^CONNECT raw\.githubusercontent\.com:443 /;

const BY_HTTP = ["-c", "model_providers.rotor.supports_websockets=false"];
/** A container cannot always build Codex's own sandbox, and nobody is there to say yes. */
const UNASKED = ["--sandbox", "danger-full-access", "--ask-for-approval", "never"];

const READY = /› Ask Codex to do anything/;

/** The turns of the conversation; Codex also asks for a title of it, and warms its socket up. */
const isTurn = ({ method, body }: SeenRequest) =>
  method !== "GET" && body?.generate !== false && (body?.text as Format | undefined)?.format?.type !== "json_schema";

interface Format {
  readonly format?: { readonly type?: string };
}

async function turnsOf(world: World): Promise<readonly SeenRequest[]> {
  return (await world.upstream.settled(isTurn)).filter(isTurn);
}

/** Leaves as people do. */
async function quit(screen: Screen): Promise<void> {
  screen.press("\x03");
  const again = setInterval(() => screen.press("\x03"), 1_000);
  try {
    expect(await screen.ended).toBe(0);
  } finally {
    clearInterval(again);
  }
}

/** Programs that were started for this home and run Codex. Where processes cannot be looked at: none. */
function codexLeft(home: string): readonly string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const ours = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HOME=${home}\0`);
      return ours && /(^|\/)codex/.test(words[0] ?? "") ? [words.join(" ")] : [];
    } catch {
      return [];
    }
  });
}

async function untilNoneLeft(home: string): Promise<void> {
  // The end of a process is noted a moment after that of what it wrote to.
  for (let looks = 0; looks < 100 && codexLeft(home).length > 0; looks++) await Bun.sleep(50);
  expect(codexLeft(home)).toEqual([]);
}

async function withScreen(words: readonly string[], body: (world: World, screen: Screen) => Promise<void>) {
  const { codex } = installClients();
  await inWorld(
    async (world) => {
      world.write(".codex/config.toml", OFFLINE);
      const env = { ROTOR_CODEX_BIN: codex, ROTOR_KEY: "" };
      const screen = world.sit([...rotorCommand(), "codex", ...words, ...UNASKED], { env });
      await screen.shows(READY);
      await body(world, screen);
      await quit(screen);
      await untilNoneLeft(world.home);
      const { clients } = await world.ctlJson<{ clients: unknown[] }>("client", "list");
      expect(clients).toEqual([]);
    },
    ACCOUNTS,
    ANNOUNCEMENTS,
  );
}

clientSuite("interactive Codex", () => {
  for (const [name, words, method] of [
    ["over WebSocket", [], "WS"],
    ["over HTTP", BY_HTTP, "POST"],
  ] as const) {
    test(`rotor codex ${name}: turns, a tool call, an account that runs out in between, and out again`, async () => {
      await withScreen(words, async (world, screen) => {
        const first = await nextAccount(world);
        await screen.submit("say hello", new RegExp(`SIM ${first} says: say hello`));
        await screen.submit(
          "run: echo tool-$((40+2))",
          new RegExp(`SIM ${first} says: the tool answered:[\\s\\S]*tool-42`),
        );
        await world.upstream.exhaust(first);
        const [, second] = await screen.submit("say more", /SIM (\w+) says: say more/);
        expect(ACCOUNTS.filter((alias) => alias !== first)).toContain(second!);
        expect(screen.text()).not.toMatch(/usage limit|reconnecting|falling back|■/i);
        const turns = await turnsOf(world);
        expect(new Set(turns.map((turn) => turn.method))).toEqual(new Set([method]));
        expect(turns.at(-1)).toMatchObject({ account: second, status: 200 });
        await screen.submit("/status", /Model provider: +rotor/);
      });
    });
  }

  test("what is typed while an answer comes is answered after it", async () => {
    await withScreen([], async (world, screen) => {
      await screen.submit("say hello", /SIM \w+ says: say hello/);
      await world.upstream.pace({ deltas: 300, delayMs: 10 });
      // The answer has begun, and is far from its end.
      await screen.submit("say much", /SIM \w+ says: say much[\s\S]* w5\b/);
      await screen.submit("say meanwhile", /SIM \w+ says: say meanwhile/);
      expect(screen.text()).not.toMatch(/reconnecting|falling back|■/i);
      const whole = (await turnsOf(world)).map(({ end, status }) => `${status} ${end}`);
      expect(new Set(whole)).toEqual(new Set(["200 answered"]));
    });
  });

  test("a daemon that is started anew on its port: the same Codex goes on, with the same key", async () => {
    await withScreen([], async (world, screen) => {
      await screen.submit("say before", /SIM \w+ says: say before/);
      const port = new URL(world.proxyUrl).port;
      await world.ctl("down");
      const env = {
        ROTOR_SEAL_GUARD: "key_file",
        ROTOR_SETTING_USAGE_POLL: "off",
        ROTOR_UPSTREAM_BASE_URL: world.upstream.url,
        ROTOR_UPSTREAM_ISSUER: world.upstream.issuer,
      };
      const again = world.start([...rotorCommand(), "daemon", "--foreground", "--port", port], { env });
      await again.prints(/"daemon\.started"/);
      // The wrapper looks for it, and shows the key that it had.
      await again.prints(/"client\.joined"/);
      await screen.submit("say after", /SIM \w+ says: say after/);
      expect(screen.text()).not.toMatch(/unauthorized|client key/i);
    });
  });

  for (const [name, isSocket] of [
    ["over WebSocket", true],
    ["over HTTP", false],
  ] as const) {
    test(`/status ${name} shows what the pool has left, with a login of Codex's own`, async () => {
      const { codex } = installClients();
      await inWorld(
        async (world) => {
          const own = await world.upstream.addAccount({ alias: "own", plan: "plus" });
          await withLogin(world, own as { tokens: Record<string, string> });
          const first = await nextAccount(world);
          await world.upstream.exhaust(first);
          await world.ctl("account", "probe", "--all");
          const words = isSocket ? [] : httpProvider(world);
          const screen = world.sit([codex, "--no-daemon", ...OFFLINE_WORDS, ...words, ...UNASKED]);
          await screen.shows(READY);
          await screen.submit("say hello", /SIM (\w+) says: say hello/);
          const [, left] = await screen.submit("/status", /5h limit: +\[.*\] (\d+)% left/);
          // Three accounts, of which one has nothing left; its own login, which has all of it left, is none of them.
          expect(Number(left)).toBeGreaterThan(0);
          expect(Number(left)).toBeLessThan(100);
          expect(screen.text()).toMatch(/Weekly limit: +\[.*\] \d+% left/);
          const turns = await turnsOf(world);
          expect(turns.map(({ method }) => method)).toEqual([isSocket ? "WS" : "POST"]);
          const all = await world.upstream.requests();
          expect(all.filter((request) => request.account === "own")).toEqual([]);
          await quit(screen);
          await untilNoneLeft(world.home);
        },
        ACCOUNTS,
        ANNOUNCEMENTS,
      );
    });
  }
});

const OFFLINE_WORDS = ["-c", "check_for_update_on_startup=false", "-c", "tui.show_tooltips=false"];

/** The same login, sent to an address without WebSocket. */
function httpProvider(world: World): readonly string[] {
  const base = `${world.proxyUrl}/k/${world.key}/backend-api/codex`;
  const provider = `{name="OpenAI",base_url="${base}",wire_api="responses",requires_openai_auth=true}`;
  return ["-c", "model_provider=plain", "-c", `model_providers.plain=${provider}`];
}
