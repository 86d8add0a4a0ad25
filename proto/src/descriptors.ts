// The contracts as descriptors, for servers that describe themselves: read from the set that `npm run gen` builds.
// Only what reflection asks for is taken out: names, what defines them, what a file imports. Nothing decodes messages by it.

import { readFile } from "node:fs/promises";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** One .proto file. */
export interface FileDescriptor {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** Full names of the services it defines. */
  readonly services: readonly string[];
  /** Full names of all that it defines. */
  readonly symbols: readonly string[];
  /** The encoded google.protobuf.FileDescriptorProto. */
  readonly encoded: Uint8Array;
}

/** Calls `take` with each length-delimited field of a message; all others are passed over. */
function eachField(bytes: Uint8Array, take: (field: number, value: Uint8Array) => void): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === 2) take(field, reader.bytes());
    else reader.skip(wireType);
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

function nameOf(bytes: Uint8Array): string {
  let name = "";
  eachField(bytes, (field, value) => {
    if (field === 1) name = text(value);
  });
  return name;
}

/** A message's own name and those of the messages (3) and enums (4) inside it. Field numbers are descriptor.proto's. */
function messageSymbols(bytes: Uint8Array, scope: string): string[] {
  const full = `${scope}${nameOf(bytes)}`;
  const symbols = [full];
  eachField(bytes, (field, value) => {
    if (field === 3) symbols.push(...messageSymbols(value, `${full}.`));
    if (field === 4) symbols.push(`${full}.${nameOf(value)}`);
  });
  return symbols;
}

function serviceSymbols(bytes: Uint8Array, scope: string): string[] {
  const full = `${scope}${nameOf(bytes)}`;
  const symbols = [full];
  eachField(bytes, (field, value) => {
    if (field === 2) symbols.push(`${full}.${nameOf(value)}`);
  });
  return symbols;
}

function parseFile(encoded: Uint8Array): FileDescriptor {
  const dependencies: string[] = [];
  const services: string[] = [];
  const symbols: string[] = [];
  let scope = "";
  // The package comes before what the file defines: descriptors are written in the order of their field numbers.
  eachField(encoded, (field, value) => {
    if (field === 2) scope = `${text(value)}.`;
    else if (field === 3) dependencies.push(text(value));
    else if (field === 4) symbols.push(...messageSymbols(value, scope));
    else if (field === 5) symbols.push(`${scope}${nameOf(value)}`);
    else if (field === 6) {
      services.push(`${scope}${nameOf(value)}`);
      symbols.push(...serviceSymbols(value, scope));
    }
  });
  return { name: nameOf(encoded), dependencies, services, symbols, encoded };
}

/** Takes a google.protobuf.FileDescriptorSet apart. */
export function parseDescriptorSet(bytes: Uint8Array): readonly FileDescriptor[] {
  const files: FileDescriptor[] = [];
  eachField(bytes, (field, value) => {
    if (field === 1) files.push(parseFile(value));
  });
  return files;
}

/** Reads the descriptors of all contracts. */
export async function loadDescriptors(): Promise<readonly FileDescriptor[]> {
  return parseDescriptorSet(await readFile(new URL("../gen/descriptors.binpb", import.meta.url)));
}
