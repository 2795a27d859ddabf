/**
 * The control API as any script may speak it: Connect with JSON over the daemon's Unix socket. Names follow proto/rotor/v1; absent
 * fields have their default.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { ErrorDetailSchema } from "../../../src/gen/rotor/v1/error_pb.ts";

export interface HoldJson {
  readonly kind: string;
  readonly endTime?: string;
  readonly text?: string;
}

export interface AccountJson {
  readonly id: string;
  readonly alias: string;
  readonly email?: string;
  readonly enabled?: boolean;
  readonly holds?: readonly HoldJson[];
  readonly windows?: readonly {
    readonly limit: string;
    readonly slot: string;
    readonly usedPercent?: number;
    readonly resetTime?: string;
  }[];
  readonly unsupportedModels?: readonly { readonly model: string; readonly endTime: string }[];
  readonly credentials: { readonly generation: string; readonly accessExpireTime?: string };
  readonly openLeases?: number;
  readonly lastServedTime?: string;
}

export interface AttemptJson {
  readonly accountAlias: string;
  readonly outcome: string;
  readonly status?: number;
  readonly message?: string;
  readonly next: string;
}

export interface ExchangeJson {
  readonly id: string;
  readonly endTime?: string;
  readonly surface: string;
  readonly attempts?: readonly AttemptJson[];
  readonly accountAlias?: string;
  readonly status?: number;
  readonly errorCode?: string;
  readonly usage?: { readonly inputTokens?: string; readonly outputTokens?: string };
  readonly waitDuration?: string;
}

export interface KeyJson {
  readonly id: string;
  readonly name: string;
  readonly lastUseTime?: string;
}

export interface DaemonJson {
  readonly pid: string;
  readonly state: string;
  readonly stateReason?: string;
  readonly dataDir: string;
  readonly proxyUrl?: string;
}

export interface PlanJson {
  readonly accountIds?: readonly string[];
  readonly usableCount?: number;
}

/** What the socket answers when it refuses. */
export class ControlError extends Error {
  readonly code: string;
  readonly connectCode: string;
  readonly hint: string;

  constructor(message: string, code: string, connectCode: string, hint: string) {
    super(message);
    this.code = code;
    this.connectCode = connectCode;
    this.hint = hint;
  }
}

export interface Control {
  /** `method` as `AccountService/ListAccounts`. Rejects with a ControlError when it is refused. */
  call<T>(method: string, request?: object): Promise<T>;
  /** The bytes of the answer, whatever it is. */
  callRaw(method: string, request?: object): Promise<string>;
  accounts(): Promise<readonly AccountJson[]>;
  account(alias: string): Promise<AccountJson>;
  exchange(id: string): Promise<ExchangeJson>;
  exchanges(): Promise<readonly ExchangeJson[]>;
  daemon(): Promise<DaemonJson>;
  openLeases(): Promise<number>;
  /** Adds one login, or renews the account that it belongs to. */
  importLogin(login: unknown, alias?: string): Promise<AccountJson>;
  createKey(name: string): Promise<string>;
  set(key: string, value: string | number | boolean): Promise<void>;
}

export function createControl(socket: string): Control {
  const post = (method: string, request: object) =>
    fetch(`http://localhost/rotor.v1.${method}`, {
      unix: socket,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
  const call = async <T>(method: string, request: object = {}): Promise<T> => {
    const response = await post(method, request);
    const text = await response.text();
    if (!response.ok) throw controlError(text);
    return JSON.parse(text) as T;
  };
  const control: Control = {
    call,
    callRaw: async (method, request = {}) => (await post(method, request)).text(),
    accounts: async () => (await call<{ accounts?: AccountJson[] }>("AccountService/ListAccounts")).accounts ?? [],
    async account(alias) {
      const found = (await control.accounts()).find((account) => account.alias === alias);
      if (found === undefined) throw new Error(`the daemon has no account ${alias}`);
      return found;
    },
    exchange: async (id) =>
      (await call<{ exchange: ExchangeJson }>("ExchangeService/GetExchange", { exchangeId: id })).exchange,
    exchanges: async () =>
      (await call<{ exchanges?: ExchangeJson[] }>("ExchangeService/ListExchanges")).exchanges ?? [],
    daemon: async () => (await call<{ daemon: DaemonJson }>("DaemonService/GetDaemon")).daemon,
    openLeases: async () => (await call<{ pool: { openLeases?: number } }>("PoolService/GetPool")).pool.openLeases ?? 0,
    async importLogin(login, alias) {
      const data = Buffer.from(JSON.stringify(login)).toString("base64");
      const { accounts } = await call<{ accounts: { account: AccountJson; action: string }[] }>(
        "TransferService/ImportAccounts",
        { files: [{ name: "auth.json", data }], ...(alias === undefined ? {} : { alias }) },
      );
      return accounts[0]!.account;
    },
    createKey: async (name) => (await call<{ secret: string }>("KeyService/CreateKey", { name })).secret,
    async set(key, value) {
      await call("SettingService/UpdateSetting", { key, value: String(value) });
    },
  };
  return control;
}

function controlError(text: string): ControlError {
  const error = JSON.parse(text) as { code: string; message?: string; details?: { type: string; value: string }[] };
  const detail = error.details?.find(({ type }) => type === "rotor.v1.ErrorDetail");
  const { code, hint } = detail ? fromBinary(ErrorDetailSchema, base64Decode(detail.value)) : { code: "", hint: "" };
  return new ControlError(error.message ?? "", code, error.code, hint);
}
