/**
 * gRPC server reflection, v1 and v1alpha: `buf curl`, grpcurl and friends ask it what there is. Answers from the descriptors that the
 * generated code carries; there is no descriptor file that could disagree with them.
 */
import { createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { ServerReflection as ReflectionV1 } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import type { ServerReflection as ReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** What both versions of the protocol ask; their messages differ in name only. */
interface Question {
  readonly host: string;
  readonly messageRequest:
    | { case: "listServices" | "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType"; value: string }
    | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } }
    | { case: undefined; value?: undefined };
}

type Reply =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

export interface Reflection {
  readonly v1: ServiceImpl<typeof ReflectionV1>;
  readonly v1alpha: ServiceImpl<typeof ReflectionV1Alpha>;
}

export function createReflection(services: readonly DescService[]): Reflection {
  const index = createIndex(services);
  async function* answers<Q extends Question>(questions: AsyncIterable<Q>) {
    // A client builds its picture over one stream: a file that it has got is not sent again.
    const sent = new Set<string>();
    for await (const question of questions)
      yield { validHost: question.host, originalRequest: question, messageResponse: replyTo(question, index, sent) };
  }
  return {
    v1: { serverReflectionInfo: (questions) => answers(questions) },
    v1alpha: { serverReflectionInfo: (questions) => answers(questions) },
  };
}

interface Index {
  readonly serviceNames: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly types: Registry;
  /** Enum values are named beside their enum, not inside it, so that no parent leads to them. */
  readonly enumValues: ReadonlyMap<string, DescFile>;
}

function createIndex(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile) => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    file.dependencies.forEach(add);
  };
  for (const service of services) add(service.file);
  const types = createRegistry(...files.values());
  const enumValues = new Map<string, DescFile>();
  for (const type of types) {
    if (type.kind !== "enum") continue;
    const scope = parentOf(type.typeName);
    for (const value of type.values) enumValues.set(scope === "" ? value.name : `${scope}.${value.name}`, type.file);
  }
  return { serviceNames: services.map((service) => service.typeName).sort(), files, types, enumValues };
}

function replyTo({ messageRequest: asked }: Question, index: Index, sent: Set<string>): Reply {
  switch (asked.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.serviceNames.map((name) => ({ name })) } };
    case "fileByFilename":
      return filesFrom(index.files.get(asked.value), `file ${asked.value}`, sent);
    case "fileContainingSymbol":
      return filesFrom(fileOfSymbol(asked.value, index), `symbol ${asked.value}`, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const extension = extensionsOf(containingType, index).find((one) => one.number === extensionNumber);
      return filesFrom(extension?.file, `extension ${extensionNumber} of ${containingType}`, sent);
    }
    case "allExtensionNumbersOfType": {
      if (index.types.getMessage(asked.value) === undefined)
        return failed(Code.NotFound, `type ${asked.value} not found`);
      const numbers = extensionsOf(asked.value, index).map((one) => one.number);
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: asked.value, extensionNumber: numbers.sort((a, b) => a - b) },
      };
    }
    default:
      return failed(Code.InvalidArgument, "the request asks nothing that is known here");
  }
}

/** The file with all it imports, dependencies included, less what was sent on this stream before. */
function filesFrom(file: DescFile | undefined, what: string, sent: Set<string>): Reply {
  if (file === undefined) return failed(Code.NotFound, `${what} not found`);
  // Asked again by name, a file is given again: only its imports may be taken as known.
  sent.delete(file.proto.name);
  const found: Uint8Array[] = [];
  const collect = (next: DescFile) => {
    if (sent.has(next.proto.name)) return;
    sent.add(next.proto.name);
    found.push(toBinary(FileDescriptorProtoSchema, next.proto));
    next.dependencies.forEach(collect);
  };
  collect(file);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: found } };
}

/** Symbols are types, services and extensions, and what is named inside them: fields, oneofs, methods, enum values. */
function fileOfSymbol(name: string, index: Index): DescFile | undefined {
  const whole = index.types.get(name);
  if (whole !== undefined) return whole.file;
  const inEnum = index.enumValues.get(name);
  if (inEnum !== undefined) return inEnum;
  const parent = index.types.get(parentOf(name));
  const member = name.slice(name.lastIndexOf(".") + 1);
  if (parent?.kind === "message") return parent.members.some((one) => one.name === member) ? parent.file : undefined;
  if (parent?.kind === "service") return parent.methods.some((one) => one.name === member) ? parent.file : undefined;
  return undefined;
}

function extensionsOf(typeName: string, index: Index) {
  return [...index.types]
    .filter((type) => type.kind === "extension")
    .filter((one) => one.extendee.typeName === typeName);
}

function parentOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(0, dot);
}

function failed(code: Code, message: string): Reply {
  return { case: "errorResponse", value: { errorCode: code, errorMessage: message } };
}
