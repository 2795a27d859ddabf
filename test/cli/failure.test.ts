/** Errors of ours, of the daemon and of the wire, as exit codes and words. */
import { expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { AppError, ERROR_TABLE, type ErrorCode } from "../../src/base/errors.ts";
import { failureJson, failureOf, failureText } from "../../src/cli/failure.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { T0 } from "../support/manual-clock.ts";

test("every code of the table keeps its exit code and hint", () => {
  for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
    const failure = failureOf(new AppError(code, "x"));
    expect([failure.code, failure.exit, failure.hint]).toEqual([code, ERROR_TABLE[code].exit, ERROR_TABLE[code].hint]);
  }
});

test("an error of the daemon comes with its own code, hint and time", () => {
  const detail = {
    desc: ErrorDetailSchema,
    value: { code: "alias_taken", hint: "rotor account list", retryTime: { seconds: BigInt(T0 / 1_000) } },
  };
  const failure = failureOf(new ConnectError("work is taken", Code.AlreadyExists, undefined, [detail]));
  expect(failure).toMatchObject({ code: "alias_taken", message: "work is taken", exit: 5, retryAtMs: T0 });
});

test("a code that only a newer daemon knows still gets a fitting exit code", () => {
  const of = (code: Code) =>
    failureOf(new ConnectError("new", code, undefined, [{ desc: ErrorDetailSchema, value: { code: "brand_new" } }]));
  expect(of(Code.NotFound)).toMatchObject({ code: "brand_new", exit: 4, hint: null });
  expect(of(Code.InvalidArgument).exit).toBe(2);
  expect(of(Code.PermissionDenied).exit).toBe(5);
  expect(of(Code.ResourceExhausted).exit).toBe(1);
});

test("without a detail it is the connection or the version, never a stack trace", () => {
  const of = (code: Code) => failureOf(new ConnectError("raw", code));
  expect(of(Code.Unavailable)).toMatchObject({ code: "daemon_unreachable", exit: 3 });
  expect(of(Code.Internal)).toMatchObject({ code: "daemon_unreachable", exit: 3 });
  expect(of(Code.DeadlineExceeded)).toMatchObject({ code: "daemon_unreachable", exit: 3, hint: "rotor doctor" });
  expect(of(Code.Unimplemented)).toMatchObject({ code: "not_ready", exit: 1, hint: "rotor down && rotor up" });
  expect(of(Code.Canceled)).toMatchObject({ code: "canceled", exit: 1 });
  expect(failureOf(new TypeError("x is undefined"))).toMatchObject({ code: "internal", exit: 1 });
});

test("words: what failed, why, when again, and the one command", () => {
  const error = new AppError("pool_exhausted", "every account is used up", { retryAtMs: T0 + 7_800_000 });
  expect(failureText(failureOf(error), "rotor pool explain", T0)).toBe(
    "rotor pool explain: every account is used up\n  again: in 2h 10m (14:10)\n  try: rotor pool explain",
  );
  expect(JSON.parse(failureJson(failureOf(error)))).toEqual({
    error: {
      code: "pool_exhausted",
      message: "every account is used up",
      hint: "rotor pool explain",
      retry_time: "2026-11-21T14:10:00.000Z",
    },
  });
  expect(failureText(failureOf(new Error("boom")), "rotor x", T0)).toBe(
    "rotor x: something went wrong inside Rotor (boom)\n  try: rotor log",
  );
});

test("text from outside cannot drive the terminal", () => {
  const failure = failureOf(new AppError("internal", "a\x1b[2Jb\r\nc", { hint: null }));
  expect(failureText(failure, "rotor x", T0)).toBe("rotor x: a [2Jb c");
});
