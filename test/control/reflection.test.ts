/** Reflection and health as foreign tools see them: the real `buf curl`, and every kind of question asked directly. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { exposureOf, hasExplicitExposure } from "../../src/control/exposure.ts";
import { CONTROL_SERVICES } from "../../src/control/routes.ts";
import { ServerReflection as V1 } from "../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { AccountService } from "../../src/gen/rotor/v1/account_service_pb.ts";
import { DaemonService } from "../../src/gen/rotor/v1/daemon_service_pb.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { KeyService } from "../../src/gen/rotor/v1/key_service_pb.ts";
import { TransferService } from "../../src/gen/rotor/v1/transfer_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { type Door, grpcTransport, openDoor } from "./harness.ts";

const ROOT = join(import.meta.dir, "../..");
const BUF = join(ROOT, "node_modules/.bin/buf");

let door: Door;
beforeAll(async () => {
  door = await openDoor();
  door.engine.put(accountOf("one"));
});
afterAll(() => door.close());

type Question = { case: string; value: unknown };

/** Asks all questions over one stream and gives the answers in their order. */
async function ask(version: typeof V1 | typeof V1Alpha, questions: readonly Question[]) {
  const client = createClient(version as typeof V1, grpcTransport(door.path));
  async function* requests() {
    for (const messageRequest of questions) yield { host: "here", messageRequest: messageRequest as never };
  }
  const answers = [];
  for await (const answer of client.serverReflectionInfo(requests())) {
    expect(answer.validHost).toBe("here");
    answers.push(answer.messageResponse);
  }
  return answers;
}

async function filesOf(version: typeof V1 | typeof V1Alpha, ...questions: Question[]): Promise<string[][]> {
  return (await ask(version, questions)).map((answer) => {
    if (answer.case !== "fileDescriptorResponse") throw new Error(`answered ${JSON.stringify(answer.value)}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
  });
}

const symbol = (value: string): Question => ({ case: "fileContainingSymbol", value });

for (const [name, version] of [
  ["v1", V1],
  ["v1alpha", V1Alpha],
] as const) {
  describe(name, () => {
    test("lists every service", async () => {
      const [answer] = await ask(version, [{ case: "listServices", value: "" }]);
      const listed = answer?.case === "listServicesResponse" ? answer.value.service.map((service) => service.name) : [];
      expect(listed).toEqual(CONTROL_SERVICES.map((service) => service.typeName).sort());
    });

    test("finds every kind of symbol", async () => {
      const account = "rotor/v1/account.proto";
      for (const [text, file] of [
        ["rotor.v1.Account", account],
        ["rotor.v1.Account.alias", account],
        ["rotor.v1.HoldKind", account],
        ["rotor.v1.HOLD_KIND_DISABLED", account],
        ["rotor.v1.AccountService", "rotor/v1/account_service.proto"],
        ["rotor.v1.AccountService.ListAccounts", "rotor/v1/account_service.proto"],
        ["rotor.v1.exposure", "rotor/v1/exposure.proto"],
        ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
        ["grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"],
        ["grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"],
      ] as const)
        expect((await filesOf(version, symbol(text)))[0]![0]).toBe(file);
    });

    test("says what it does not know, and goes on", async () => {
      const questions = [
        symbol("rotor.v1.Nope"),
        symbol("rotor.v1.Account.nope"),
        symbol(""),
        { case: "fileByFilename", value: "nope.proto" },
        {
          case: "fileContainingExtension",
          value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 1 },
        },
        { case: "allExtensionNumbersOfType", value: "rotor.v1.Nope" },
      ];
      const answers = await ask(version, [...questions, symbol("rotor.v1.Account")]);
      const codes = answers.map((answer) => (answer.case === "errorResponse" ? answer.value.errorCode : answer.case));
      expect(codes).toEqual([5, 5, 5, 5, 5, 5, "fileDescriptorResponse"]);
    });

    test("knows extensions by number", async () => {
      const target = "google.protobuf.MethodOptions";
      const [numbers, file] = await ask(version, [
        { case: "allExtensionNumbersOfType", value: target },
        { case: "fileContainingExtension", value: { containingType: target, extensionNumber: 50747 } },
      ]);
      expect(numbers?.value).toMatchObject({ baseTypeName: target, extensionNumber: [50747] });
      expect(file?.case).toBe("fileDescriptorResponse");
    });
  });
}

test("a file comes with all it imports, each once on a stream, and the whole can be put together again", async () => {
  const [answer] = await ask(V1, [symbol("rotor.v1.DaemonService")]);
  const files: FileDescriptorProto[] =
    answer?.case === "fileDescriptorResponse"
      ? answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      : [];
  const ordered = new Set<FileDescriptorProto>();
  const addWithImports = (name: string) => {
    const file = files.find((one) => one.name === name);
    file?.dependency.forEach(addWithImports);
    if (file) ordered.add(file);
  };
  addWithImports("rotor/v1/daemon_service.proto");
  expect(ordered.size).toBe(files.length);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] }));
  expect(registry.getService("rotor.v1.DaemonService")?.methods.map((method) => method.name)).toContain("GetStatus");

  const [first, second, again] = await filesOf(V1, symbol("rotor.v1.DaemonService"), symbol("rotor.v1.PoolService"), {
    case: "fileByFilename",
    value: "rotor/v1/account.proto",
  });
  expect(first).toContain("rotor/v1/account.proto");
  expect(second).toEqual(["rotor/v1/pool_service.proto"]);
  expect(again).toEqual(["rotor/v1/account.proto"]);
});

test("every method of the proto is served and says which doors may call it", () => {
  const own = CONTROL_SERVICES.filter((service) => service.typeName.startsWith("rotor."));
  const served = own.flatMap((service) => service.methods.map((method) => `${service.name}.${method.name}`)).sort();
  const folder = join(ROOT, "proto/rotor/v1");
  const written = readdirSync(folder).flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const service = /^service (\w+)/m.exec(text)?.[1];
    return [...text.matchAll(/^ {2}rpc (\w+)/gm)].map((match) => `${service}.${match[1]}`);
  });
  expect(served).toEqual(written.sort());
  const silent = own.flatMap((service) => service.methods).filter((method) => !hasExplicitExposure(method));
  expect(silent.map((method) => method.name)).toEqual([]);
});

test("what must stay on the socket does", () => {
  expect(exposureOf(KeyService.method.createKey)).toBe("socket_only");
  expect(exposureOf(TransferService.method.importAccounts)).toBe("socket_only");
  expect(exposureOf(DaemonService.method.stopDaemon)).toBe("socket_only");
  expect(exposureOf(AccountService.method.listAccounts)).toBe("dashboard");
  // Not ours, says nothing: the socket alone.
  expect(exposureOf(V1.method.serverReflectionInfo)).toBe("socket_only");
});

async function buf(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([BUF, "curl", "--unix-socket", door.path, ...args], {
    stdout: "pipe",
    stderr: "pipe",
    cwd: "/",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

const H2C = ["--protocol", "grpc", "--http2-prior-knowledge"];

test("buf curl lists services and methods", async () => {
  const services = await buf(...H2C, "--list-services", "http://localhost");
  expect([services.code, services.err]).toEqual([0, ""]);
  expect(services.out.trim().split("\n").sort()).toEqual(CONTROL_SERVICES.map((service) => service.typeName).sort());
  const methods = await buf(...H2C, "--list-methods", "http://localhost");
  expect(methods.out).toContain("rotor.v1.PoolService/WatchPool");
});

for (const [name, args] of [
  ["gRPC", H2C],
  ["Connect over h2c", ["--protocol", "connect", "--http2-prior-knowledge"]],
] as const) {
  test(`buf curl calls by reflection: ${name}`, async () => {
    const { code, out, err } = await buf(...args, "http://localhost/rotor.v1.AccountService/ListAccounts");
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out).accounts[0].alias).toBe("one");
  });
}

test("buf curl shows an error with its detail", async () => {
  const { code, err } = await buf(
    ...H2C,
    "-d",
    '{"accountId":"abc"}',
    "http://localhost/rotor.v1.AccountService/GetAccount",
  );
  expect(code).not.toBe(0);
  const error = JSON.parse(err);
  expect(error.code).toBe("not_found");
  expect(error.details[0].type).toBe("rotor.v1.ErrorDetail");
  const detail = fromBinary(ErrorDetailSchema, Buffer.from(error.details[0].value, "base64"));
  expect(detail.code).toBe("account_not_found");
});

test("buf curl watches", async () => {
  const child = Bun.spawn(
    [BUF, "curl", "--unix-socket", door.path, ...H2C, "http://localhost/rotor.v1.PoolService/WatchPool"],
    {
      stdout: "pipe",
      stderr: "ignore",
      cwd: "/",
    },
  );
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes('"one"')) text += (await lines.read()).value ?? "";
  door.engine.put(accountOf("two"));
  while (!text.includes('"two"')) text += (await lines.read()).value ?? "";
  child.kill();
  await child.exited;
});
