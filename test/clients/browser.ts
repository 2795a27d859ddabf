/**
 * A real headless Chromium, spoken to over its DevTools protocol: `ROTOR_TEST_CHROMIUM` names one that is installed, else the one that
 * install.ts fetches from npm, which is built for Linux on x64. It reaches loopback and nothing else.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { until } from "../daemon/support/until.ts";
import { installClients } from "./install.ts";

const NAMED = process.env.ROTOR_TEST_CHROMIUM;

export const HAS_BROWSER = Boolean(NAMED) || (process.platform === "linux" && process.arch === "x64");

export interface Page extends AsyncDisposable {
  /** Goes to an address as if it had been typed. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  read<T>(expression: string): Promise<T>;
  /** Clicks the first element that the selector finds. */
  click(selector: string): Promise<void>;
  /** Waits for a page with this in its title. */
  titled(part: string): Promise<void>;
}

/** A browser that nobody is signed in with, and its one page. */
export async function openBrowser(): Promise<Page> {
  const { path, libraries } = NAMED ? { path: NAMED, libraries: "" } : unpack();
  const profile = mkdtempSync(join(tmpdir(), "rotor-browser-"));
  const args = [
    "--headless=shell",
    // Root has no sandbox, and a test machine is often root; it sees loopback pages of ours only.
    ...["--no-sandbox", "--no-zygote", "--disable-dev-shm-usage"],
    // There is no graphics card: pixels are computed, by libraries that lie beside the executable.
    ...["--in-process-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
    ...["--no-first-run", "--disable-background-networking", "--disable-component-update"],
    // Chromium leaves loopback out of any proxy by itself; nothing listens on this one.
    "--proxy-server=http://127.0.0.1:9",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "about:blank",
  ];
  const env = { HOME: profile, PATH: "/usr/bin:/bin", ...(libraries === "" ? {} : { LD_LIBRARY_PATH: libraries }) };
  const child = Bun.spawn([path, ...args], { env, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const end = async () => {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(profile, { recursive: true, force: true });
  };
  try {
    const portFile = join(profile, "DevToolsActivePort");
    await until(() => hasEnded() || existsSync(portFile), "the browser's start");
    await until(() => hasEnded() || readFileSync(portFile, "utf8").includes("\n"), "the browser's port");
    const port = readFileSync(portFile, "utf8").split("\n")[0];
    let page: Target | undefined;
    await until(async () => {
      if (hasEnded()) throw new Error(`the browser ended with ${child.exitCode ?? child.signalCode}`);
      // It accepts connections a little before it answers them.
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null);
      const targets = answer === null ? [] : ((await answer.json()) as Target[]);
      page = targets.find(({ type }) => type === "page");
      return page !== undefined;
    }, "the browser's first page");
    const send = await connect(page!.webSocketDebuggerUrl);
    return pageOf(send, end);
  } catch (error) {
    await end();
    throw error;
  }
}

interface Target {
  readonly type: string;
  readonly webSocketDebuggerUrl: string;
}

type Send = (method: string, params?: object) => Promise<Record<string, unknown>>;

async function connect(url: string): Promise<Send> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(String(data));
    const wait = waiting.get(id);
    waiting.delete(id);
    if (error) wait?.reject(new Error(`the browser refused: ${error.message}`));
    else wait?.resolve(result);
  };
  socket.onclose = () => {
    for (const wait of waiting.values()) wait.reject(new Error("the browser is gone"));
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the browser does not listen"));
  });
  return (method, params = {}) => {
    const wait = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(++last, wait);
    socket.send(JSON.stringify({ id: last, method, params }));
    return wait.promise;
  };
}

function pageOf(send: Send, end: () => Promise<void>): Page {
  const page: Page = {
    async open(url) {
      const { errorText } = await send("Page.navigate", { url });
      if (errorText !== undefined) throw new Error(`the browser cannot open it: ${errorText}`);
    },
    async read<T>(expression: string) {
      const { result } = await send("Runtime.evaluate", { expression, returnByValue: true });
      return (result as { value: T }).value;
    },
    async click(selector) {
      const found = await page.read<boolean>(
        `(() => { const it = document.querySelector(${JSON.stringify(selector)}); it?.click(); return it !== null; })()`,
      );
      if (!found) throw new Error(`the page has no ${selector}`);
    },
    titled: (part) =>
      until(
        async () =>
          (await page.read<string>("document.readyState + ' ' + document.title").catch(() => "")).startsWith(
            "complete",
          ) && (await page.read<string>("document.title")).includes(part),
        `a page with the title ${part}`,
      ),
    [Symbol.asyncDispose]: end,
  };
  return page;
}

/** Unpacks the executable and the libraries it brings beside its package, once. */
function unpack(): { path: string; libraries: string } {
  const { nodeModules } = installClients();
  const folder = join(dirname(nodeModules), "chromium");
  const found = { path: join(folder, "chromium"), libraries: join(folder, "lib") };
  if (existsSync(folder)) return found;
  const packed = (name: string) =>
    brotliDecompressSync(readFileSync(join(nodeModules, "@sparticuz/chromium/bin", name)));
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    writeFileSync(join(work, "chromium"), packed("chromium.br"), { mode: 0o755 });
    for (const name of ["al2023.tar.br", "swiftshader.tar.br"]) {
      const tar = Bun.spawnSync(["tar", "-xf", "-", "-C", work], { stdin: packed(name) });
      if (tar.exitCode !== 0) throw new Error(`the browser's libraries cannot be unpacked: ${tar.stderr}`);
    }
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return found;
}
