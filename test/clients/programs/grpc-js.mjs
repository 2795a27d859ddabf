// A gRPC client that knows nothing of Rotor but a descriptor set: `node grpc-js.mjs SOCKET IMAGE SERVICE/METHOD [JSON]`. Prints each
// message of the answer as one line of JSON; a refusal as {"error":{code, details}}.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import grpc from "@grpc/grpc-js";

const [socket, image, path, json = "{}"] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
const [serviceName, methodName] = path.split("/");
const method = registry.getService(serviceName).methods.find((candidate) => candidate.name === methodName);

const serialize = (message) => Buffer.from(toBinary(method.input, message));
const deserialize = (bytes) => fromBinary(method.output, bytes);
const print = (value) => console.log(JSON.stringify(value));
const fail = ({ code, details }) => print({ error: { code: grpc.status[code], details } });

const client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure());
const request = fromJson(method.input, JSON.parse(json), { registry });
const answer = (message) => print(toJson(method.output, message, { registry, alwaysEmitImplicit: true }));
if (method.methodKind === "unary") {
  client.makeUnaryRequest(`/${path}`, serialize, deserialize, request, (error, message) => {
    if (error) fail(error);
    else answer(message);
    client.close();
  });
} else {
  const call = client.makeServerStreamRequest(`/${path}`, serialize, deserialize, request);
  call.on("data", answer);
  call.on("error", fail);
  call.on("end", () => client.close());
  process.once("SIGTERM", () => call.cancel());
}
