// The standard reflection service (v1 and v1alpha, which differ in name alone): what services there are and what defines them.
// Descriptors are loaded when the first question comes. Extensions are not answered: proto3 contracts have none.

import { type FileDescriptor, loadDescriptors } from "@headgate/proto/descriptors";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
  ServerReflectionServiceImplementation,
} from "@headgate/proto/grpc/reflection/v1/reflection";
import { Status } from "nice-grpc-common";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

const notFound = (what: string): Answer => ({
  $case: "errorResponse",
  value: { errorCode: Status.NOT_FOUND, errorMessage: `${what} is not known here` },
});

/** A file and all that it imports, each once. */
function withImports(files: readonly FileDescriptor[], start: FileDescriptor): Answer {
  const byName = new Map(files.map((file) => [file.name, file]));
  const wanted = new Map([[start.name, start]]);
  for (const file of wanted.values()) {
    for (const name of file.dependencies) {
      const dependency = byName.get(name);
      if (dependency !== undefined) wanted.set(name, dependency);
    }
  }
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: [...wanted.values()].map((file) => file.encoded) } };
}

function answer(files: readonly FileDescriptor[], served: readonly string[], request: ServerReflectionRequest["messageRequest"]): Answer {
  switch (request?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: served.map((name) => ({ name })) } };
    case "fileByFilename": {
      const file = files.find((one) => one.name === request.value);
      return file === undefined ? notFound(`the file "${request.value}"`) : withImports(files, file);
    }
    case "fileContainingSymbol": {
      const file = files.find((one) => one.symbols.includes(request.value));
      return file === undefined ? notFound(`the symbol "${request.value}"`) : withImports(files, file);
    }
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return notFound("an extension");
    case undefined:
      return { $case: "errorResponse", value: { errorCode: Status.INVALID_ARGUMENT, errorMessage: "the request asks for nothing" } };
    default:
      return request satisfies never;
  }
}

/** The service's implementation for a server with these services, by their full names. */
export function reflectionService(served: readonly string[]): ServerReflectionServiceImplementation {
  let loaded: Promise<readonly FileDescriptor[]> | null = null;
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        loaded ??= loadDescriptors();
        const messageResponse = answer(await loaded, served, request.messageRequest);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  };
}
