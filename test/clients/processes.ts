/**
 * Child processes with a limit: each leads a group of its own, and only such groups are ever ended, by id.
 */
import { type ChildProcess, spawn } from "node:child_process";

export interface Run {
  readonly out: string;
  readonly err: string;
  /** 128 + n for a signal, as a shell says it. */
  readonly exit: number;
}

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin?: string;
  /** A client that takes longer hangs; it is ended and the run fails with what it had printed. */
  readonly limitMs?: number;
}

export interface Started {
  readonly pid: number;
  /** What it printed until now. */
  readonly out: string;
  readonly err: string;
  readonly ended: Promise<Run>;
  /** Resolves with the first match in what it prints; fails when it ends or the limit passes before. */
  prints(pattern: RegExp, limitMs?: number): Promise<RegExpExecArray>;
  /** Asks it to end, insists after a while. */
  stop(): Promise<Run>;
}

/** Codex and OpenCode need some five seconds on a small machine; this is the same on a busy one. */
const RUN_LIMIT_MS = 150_000;
const PRINT_LIMIT_MS = 90_000;
/** What does not end when asked is ended. A daemon lets open requests finish for five seconds. */
const STOP_GRACE_MS = 30_000;

export async function runProcess(command: readonly string[], options: RunOptions): Promise<Run> {
  const started = startProcess(command, options);
  const limitMs = options.limitMs ?? RUN_LIMIT_MS;
  let timer: Timer | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limitMs);
  });
  const done = await Promise.race([started.ended, late]);
  clearTimeout(timer);
  if (done !== null) return done;
  const { out, err } = await started.stop();
  throw new Error(`${command.join(" ")} had not ended after ${limitMs / 1000} s. It had printed:\n${out}\n${err}`);
}

export function startProcess(command: readonly string[], options: RunOptions): Started {
  const [file, ...args] = command;
  const child = spawn(file!, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const texts = { out: "", err: "" };
  const onText = new Set<() => void>();
  const collect = (name: "out" | "err") => (chunk: Buffer) => {
    texts[name] += chunk.toString();
    for (const look of onText) look();
  };
  child.stdout!.on("data", collect("out"));
  child.stderr!.on("data", collect("err"));
  child.stdin?.end(options.stdin);
  const ended = whenEnded(child, texts);
  return {
    pid: child.pid ?? 0,
    get out() {
      return texts.out;
    },
    get err() {
      return texts.err;
    },
    ended,
    prints: (pattern, limitMs = PRINT_LIMIT_MS) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer);
          onText.delete(look);
          finish();
        };
        const fail = (why: string) =>
          settle(() => reject(new Error(`${file} ${why} without printing ${pattern}:\n${texts.out}\n${texts.err}`)));
        const look = () => {
          const match = pattern.exec(texts.out) ?? pattern.exec(texts.err);
          if (match) settle(() => resolve(match));
        };
        const timer = setTimeout(() => fail(`ran ${limitMs / 1000} s`), limitMs);
        onText.add(look);
        look();
        ended.then(
          () => fail("ended"),
          (error) => settle(() => reject(error)),
        );
      }),
    async stop() {
      endGroup(child, "SIGTERM");
      const timer = setTimeout(() => endGroup(child, "SIGKILL"), STOP_GRACE_MS);
      const run = await ended;
      clearTimeout(timer);
      return run;
    },
  };
}

function whenEnded(child: ChildProcess, texts: { out: string; err: string }): Promise<Run> {
  const ended = new Promise<Run>((resolve, reject) => {
    child.on("error", reject);
    // Whatever it left behind in its group ends with it; until then it would hold our pipes open.
    child.on("exit", () => endGroup(child, "SIGKILL"));
    child.on("close", (code, signal) => {
      resolve({ ...texts, exit: code ?? 128 + (signal === "SIGKILL" ? 9 : 15) });
    });
  });
  // Somebody may look only later, or never.
  ended.catch(() => {});
  return ended;
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}
