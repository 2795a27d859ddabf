/**
 * Every call that may change something is an order, and every order leaves an entry in the audit log, refused ones too. Which calls those are
 * the proto says: all but the ones marked NO_SIDE_EFFECTS. No handler has to remember it, and none can leave it out.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import type { Actor } from "../domain/audit.ts";
import type { Engine } from "../pool/engine.ts";
import { peerKey } from "./peer.ts";

/** Doors that orders come through. */
export type Door = "socket" | "dashboard";

/** At the socket it is whoever is at its other end. */
function actorOf(door: Door, values: ContextValues): Actor {
  if (door === "dashboard") return { kind: door };
  const peer = values.get(peerKey);
  return { kind: "ctl", uid: peer?.uid ?? null, pid: peer?.pid ?? null };
}

/** May a call of it change anything? */
export function isOrder(method: DescMethod): boolean {
  return method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** `AccountService.RemoveAccount` → `account.remove`, `AccountService.ClearAccountCooldown` → `account.clear_cooldown`. */
export function actionOf(method: DescMethod): string {
  const noun = method.parent.name.replace(/Service$/, "");
  const verb = method.name.replace(new RegExp(`${noun}s?(?=[A-Z]|$)`), "");
  return `${snake(noun)}.${snake(verb)}`;
}

function snake(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, "_$&").toLowerCase();
}

/**
 * `engine` is null while there is none, and no log to write to. `replaces` says that the orders may put another engine in its place: they
 * are written into the log that is there afterwards.
 */
export function createAuditInterceptor(engine: () => Engine | null, door: Door, replaces = false): Interceptor {
  return (next) => async (request) => {
    if (!isOrder(request.method) || isRehearsal(request.message)) return await next(request);
    const order = { actor: actorOf(door, request.contextValues), action: actionOf(request.method) };
    const audit = engine()?.audit ?? null;
    const answered = async () => {
      const response = await next(request);
      return response.stream ? { ...response, message: await begun(response.message) } : response;
    };
    if (audit !== null && !replaces) return await audit.order(order, answered);
    // Whoever unlocked the seal opened the log too; and a restore puts another one in its place.
    const outcome = await answered().then(
      (answer) => async () => answer,
      (thrown: unknown) => async () => {
        throw thrown;
      },
    );
    return await (engine()?.audit.order(order, outcome) ?? outcome());
  };
}

/** A stream whose first message has come: a handler that streams begins its work only when it is asked for that, and says then what it does. */
async function begun<T>(messages: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

/** Asked to say what would happen and change nothing. */
function isRehearsal(message: object): boolean {
  return "dryRun" in message && message.dryRun === true;
}
