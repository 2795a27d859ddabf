/**
 * Everything that can be read over the control socket: asks reflection which services there are and calls each method that changes
 * nothing, as a foreign tool would that was built without our files. A method that is added is called without a word here.
 */
import { connect } from "node:net";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  type Message,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ServerReflection } from "../../../src/gen/grpc/reflection/v1/reflection_pb.ts";

export interface ReadAnswer {
  /** `AccountService/GetAccount`. */
  readonly method: string;
  readonly isRefusal: boolean;
  readonly text: string;
}

/** Values for the fields of requests, by name; all others keep their default. */
export type FieldValues = Readonly<Record<string, string | number | boolean>>;

/** Calls each method once for each set of values. Of an endless answer the first message is taken. */
export async function readEverything(socket: string, values: readonly FieldValues[]): Promise<ReadAnswer[]> {
  const nodeOptions = { createConnection: () => connect(socket) };
  const transport = createGrpcTransport({ baseUrl: "http://localhost", nodeOptions: nodeOptions as object });
  const { registry, services } = await reflected(transport);
  const answers: ReadAnswer[] = [];
  for (const name of services) {
    const methods = registry.getService(name)?.methods ?? [];
    for (const method of methods) {
      if (method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) continue;
      for (const set of values) answers.push(await read(transport, registry, method, set));
    }
  }
  return answers;
}

async function reflected(transport: Transport): Promise<{ registry: FileRegistry; services: readonly string[] }> {
  const client = createClient(ServerReflection, transport);
  const ask = async (messageRequests: readonly { case: "listServices" | "fileContainingSymbol"; value: string }[]) => {
    async function* questions() {
      for (const messageRequest of messageRequests) yield { host: "", messageRequest };
    }
    const replies = [];
    for await (const { messageResponse } of client.serverReflectionInfo(questions())) replies.push(messageResponse);
    return replies;
  };
  const [listed] = await ask([{ case: "listServices", value: "" }]);
  const all = listed?.case === "listServicesResponse" ? listed.value.service.map(({ name }) => name) : [];
  const services = all.filter((name) => name.startsWith("rotor."));
  const files = new Map<string, FileDescriptorProto>();
  for (const reply of await ask(services.map((value) => ({ case: "fileContainingSymbol", value }) as const))) {
    if (reply.case !== "fileDescriptorResponse") throw new Error("reflection knows no file of a service that it lists");
    for (const bytes of reply.value.fileDescriptorProto) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
  }
  const ordered = new Set<FileDescriptorProto>();
  const add = (name: string) => {
    const file = files.get(name);
    file?.dependency.forEach(add);
    if (file) ordered.add(file);
  };
  for (const name of files.keys()) add(name);
  return { registry: createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] })), services };
}

async function read(
  transport: Transport,
  registry: FileRegistry,
  method: DescMethod,
  values: FieldValues,
): Promise<ReadAnswer> {
  const name = `${method.parent.name}/${method.name}`;
  const request = Object.fromEntries(
    method.input.fields
      .filter((field) => fits(field, values[field.name]))
      .map((field) => [field.localName, values[field.name]]),
  );
  const text = (message: Message) => toJsonString(method.output, message, { registry });
  const call = createClient(method.parent, transport)[method.localName] as unknown as (
    request: object,
    options: { signal: AbortSignal },
  ) => Promise<Message> | AsyncIterable<Message>;
  const over = new AbortController();
  try {
    if (method.methodKind === "unary")
      return {
        method: name,
        isRefusal: false,
        text: text(await (call(request, { signal: over.signal }) as Promise<Message>)),
      };
    for await (const message of call(request, { signal: over.signal }) as AsyncIterable<Message>)
      return { method: name, isRefusal: false, text: text(message) };
    return { method: name, isRefusal: false, text: "" };
  } catch (error) {
    const { message, details } = error as { message: string; details?: unknown };
    return { method: name, isRefusal: true, text: `${message} ${JSON.stringify(details ?? [])}` };
  } finally {
    over.abort();
  }
}

function fits(field: DescField, value: string | number | boolean | undefined): boolean {
  return value !== undefined && field.fieldKind === "scalar";
}
