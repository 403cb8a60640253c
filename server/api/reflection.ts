import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../gen/es/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/es/grpc/health/v1/health_pb.ts";
import {
  type ServerReflectionRequest,
  ServerReflection as ServerReflectionV1,
} from "../../gen/es/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/es/grpc/reflection/v1alpha/reflection_pb.ts";

/**
 * gRPC reflection (v1, and v1alpha with the same messages for older tools): lists the services and hands out their contracts,
 * so that grpcurl and ghz need no proto files.
 */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const all = [...services, Health, ServerReflectionV1, ServerReflectionV1Alpha];
  // No service names the error details in its contract, but tools want to read them.
  const index = indexFiles([...all.map(({ file }) => file), file_google_rpc_error_details]);
  const names = all.map(({ typeName }) => ({ name: typeName }));
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
    // Each file goes out once a stream: clients keep them for as long as they keep the stream.
    const sent = new Set<string>();
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, index, names, sent) };
    }
  }
  return (router) => {
    router.service(ServerReflectionV1, { serverReflectionInfo });
    // The two versions differ in nothing but their package; the messages are the same on the wire and in memory.
    const alpha = serverReflectionInfo as unknown as AlphaImplementation;
    router.service(ServerReflectionV1Alpha, { serverReflectionInfo: alpha });
  };
}

type AlphaImplementation = ServiceImpl<typeof ServerReflectionV1Alpha>["serverReflectionInfo"];

interface Index {
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** Extension numbers, and the file of each, by the message extended. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function answer(
  { messageRequest: { case: kind, value } }: ServerReflectionRequest,
  index: Index,
  names: { name: string }[],
  sent: Set<string>,
) {
  switch (kind) {
    case "listServices":
      return { case: "listServicesResponse" as const, value: { service: names } };
    case "fileByFilename":
      return filesOr(`No file "${value}" here`, index.byName.get(value), sent);
    case "fileContainingSymbol":
      return filesOr(`No symbol "${value}" here`, index.bySymbol.get(value), sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = value;
      const file = index.extensions.get(containingType)?.get(extensionNumber);
      return filesOr(`No extension ${extensionNumber} of "${containingType}" here`, file, sent);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = [...(index.extensions.get(value)?.keys() ?? [])];
      if (!index.bySymbol.has(value)) return failure(Code.NotFound, `No message "${value}" here`);
      return { case: "allExtensionNumbersResponse" as const, value: { baseTypeName: value, extensionNumber } };
    }
    default:
      return failure(Code.InvalidArgument, "The request asks for nothing");
  }
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

/** The file after all that it needs, without those that this stream has had; the file itself always. */
function filesOr(missing: string, file: DescFile | undefined, sent: Set<string>) {
  if (file === undefined) return failure(Code.NotFound, missing);
  const wanted = [...withDependencies(file)].filter((each) => each === file || !sent.has(each.name));
  for (const each of wanted) sent.add(each.name);
  const fileDescriptorProto = wanted.map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function withDependencies(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  if (found.has(file)) return found;
  for (const dependency of file.dependencies) withDependencies(dependency, found);
  return found.add(file);
}

function indexFiles(roots: readonly DescFile[]): Index {
  const files = new Set<DescFile>();
  for (const file of roots) withDependencies(file, files);
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of files) {
    byName.set(file.proto.name, file);
    for (const symbol of symbols(file)) bySymbol.set(symbol, file);
    for (const { extendee, number } of file.extensions) {
      const numbers = extensions.get(extendee.typeName) ?? new Map<number, DescFile>();
      extensions.set(extendee.typeName, numbers.set(number, file));
    }
  }
  return { byName, bySymbol, extensions };
}

/** Full names of all that the file declares, nested ones and methods too. */
function* symbols(file: DescFile): Iterable<string> {
  for (const { typeName } of [...file.enums, ...file.extensions]) yield typeName;
  for (const service of file.services) {
    yield service.typeName;
    for (const { name } of service.methods) yield `${service.typeName}.${name}`;
  }
  const messages = [...file.messages];
  for (let message = messages.pop(); message !== undefined; message = messages.pop()) {
    yield message.typeName;
    for (const { name } of message.fields) yield `${message.typeName}.${name}`;
    for (const { typeName } of [...message.nestedEnums, ...message.nestedExtensions]) yield typeName;
    messages.push(...message.nestedMessages);
  }
}
