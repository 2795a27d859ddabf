/**
 * The ctl against a control socket whose logins are a script: the test says when somebody has signed in, and sees what the ctl asked for.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { systemClock } from "../../src/base/clock.ts";
import { toTimestamp } from "../../src/cli/text/wire-text.ts";
import { createErrorInterceptor } from "../../src/control/error-mapping.ts";
import { createControlRoutes } from "../../src/control/routes.ts";
import { type Account, AccountSchema } from "../../src/gen/rotor/v1/account_pb.ts";
import {
  type Login,
  LoginMethod,
  LoginSchema,
  LoginService,
  LoginState,
  type StartLoginRequest,
} from "../../src/gen/rotor/v1/login_service_pb.ts";
import { createFakeBackups, createFakeFacts, openDoor, recordingLog, until } from "../control/harness.ts";
import { createFakeEngine, type FakeEngine } from "../support/fake-engine.ts";
import { createFakeSeal } from "../support/fake-seal.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Run, type RunOptions, runIn, tempHome } from "./harness.ts";

export interface LoginStage {
  readonly engine: FakeEngine;
  readonly started: StartLoginRequest[];
  readonly handedIn: string[];
  logins(): readonly Login[];
  /** Waits until somebody watches a login: whoever does has shown it. */
  watched(): Promise<void>;
  /** Plays the person (and the issuer) as soon as a login has begun. */
  onStart: (login: Login) => void;
  /** Plays the daemon when an address is handed in; may throw. */
  onCallback: (login: Login, url: string) => void;
  /** Thrown by the next StartLogin. */
  nextFailure: unknown;
  change(id: string, changes: Partial<Omit<Login, "$typeName">>): void;
  complete(id: string, account: Account, added?: boolean): void;
  run(options: RunOptions, ...argv: string[]): Promise<Run>;
  close(): Promise<void>;
}

export function accountMessage(alias: string, changes: MessageInitShape<typeof AccountSchema> = {}): Account {
  const given = { id: `id-${alias}`, alias, email: `${alias}@example.org`, tier: "plus", enabled: true };
  return create(AccountSchema, { ...given, workspaceId: "ws-1", ...changes });
}

const MINUTES_15 = 900_000;

function newLogin(id: string, { method }: StartLoginRequest): Login {
  const device = method === LoginMethod.DEVICE;
  return create(LoginSchema, {
    id,
    method,
    state: LoginState.PENDING,
    authorizeUrl: device ? "" : "https://auth.example.org/oauth/authorize?state=abc&x=1",
    redirectUri: device ? "" : "http://localhost:1455/auth/callback",
    verificationUrl: device ? "https://auth.example.org/codex/device" : "",
    userCode: device ? "ABCD-12345" : "",
    startTime: toTimestamp(T0),
    expireTime: toTimestamp(T0 + MINUTES_15),
  });
}

export async function openLoginStage(): Promise<LoginStage> {
  const engine = createFakeEngine();
  const logins = new Map<string, Login>();
  const listeners = new Set<() => void>();
  const log = recordingLog([]);
  const deps = {
    engine: () => engine,
    facts: createFakeFacts("/none"),
    seal: createFakeSeal(),
    backups: createFakeBackups(),
    clock: systemClock,
    log,
  };
  const home = tempHome();
  const routes = (router: ConnectRouter) => {
    createControlRoutes(deps)(withoutLogins(router));
    router.service(LoginService, standIn(stage, logins, listeners), { interceptors: [createErrorInterceptor(log)] });
  };
  const stage: LoginStage = {
    engine,
    started: [],
    handedIn: [],
    logins: () => [...logins.values()],
    watched: () => until("watched", () => listeners.size > 0),
    onStart: () => {},
    onCallback: () => {},
    nextFailure: null,
    change(id, changes) {
      logins.set(id, Object.assign(clone(LoginSchema, logins.get(id)!), changes));
      for (const tell of listeners) tell();
    },
    complete(id, account, added = true) {
      stage.change(id, { state: LoginState.COMPLETED, account, added });
    },
    run: (options, ...argv) => runIn(home, { ...options, env: { ROTOR_SOCKET: door.path, ...options.env } }, argv),
    async close() {
      await door.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
  const door = await openDoor({ options: { routes } });
  return stage;
}

/** Every service but the one that the stage plays itself. */
function withoutLogins(router: ConnectRouter): ConnectRouter {
  const others: ConnectRouter = {
    ...router,
    service(description, implementation, options) {
      if (description.typeName !== LoginService.typeName) router.service(description, implementation, options);
      return others;
    },
  };
  return others;
}

function standIn(
  stage: LoginStage,
  logins: Map<string, Login>,
  listeners: Set<() => void>,
): ServiceImpl<typeof LoginService> {
  return {
    startLogin(request) {
      stage.started.push(request);
      const failure = stage.nextFailure;
      stage.nextFailure = null;
      if (failure !== null) throw failure;
      const login = newLogin(`login-${logins.size + 1}`, request);
      logins.set(login.id, login);
      stage.onStart(login);
      return { login };
    },
    async *watchLogin({ loginId }, { signal }) {
      for (;;) {
        const login = logins.get(loginId)!;
        yield { login };
        if (login.state !== LoginState.PENDING || signal.aborted) return;
        await new Promise<void>((resolve) => {
          const wake = () => {
            listeners.delete(wake);
            resolve();
          };
          listeners.add(wake);
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    },
    completeLogin({ loginId, callbackUrl }) {
      stage.handedIn.push(callbackUrl);
      stage.onCallback(logins.get(loginId)!, callbackUrl);
      return { login: logins.get(loginId)! };
    },
    cancelLogin({ loginId }) {
      if (logins.get(loginId)?.state === LoginState.PENDING) stage.change(loginId, { state: LoginState.CANCELED });
      return { login: logins.get(loginId)! };
    },
    listLogins: () => ({ logins: [...logins.values()].toReversed() }),
  };
}

/** A list file in a folder of its own. */
export async function listFile(text: string): Promise<string> {
  const path = join(tempHome(), "list.txt");
  await Bun.write(path, text);
  return path;
}
