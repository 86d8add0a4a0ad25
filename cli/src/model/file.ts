// A file of backends and endpoints: its form, and every mistake in it at once, each with its place and line. Pure.

import {
  type BackendSpec,
  type EndpointSpec,
  type Refusal,
  type Result,
  backendsOf,
  err,
  fault,
  ok,
  parseBackendConfig,
  parseBackendSpec,
  parseEndpointSpec,
} from "@headgate/core";
import { LineCounter, type Document, isMap, isScalar, isSeq, parseDocument } from "yaml";
import { z } from "zod";
import { parseHandlerInput } from "./handler-input.ts";
import type { Wanted } from "./plan.ts";

const BACKEND = z.strictObject({
  handler: z.unknown().refine((value) => value !== undefined, "is needed, such as ./handlers.ts#hello"),
  args: z.array(z.unknown()).optional(),
  config: z.record(z.string(), z.unknown()).optional(),
});

const ALL_OR_LIST = z.union([z.string(), z.array(z.string())]);
const CORS = z.strictObject({
  origins: ALL_OR_LIST,
  methods: z.array(z.string()).nullable().optional(),
  headers: ALL_OR_LIST.optional(),
  exposeHeaders: ALL_OR_LIST.optional(),
  credentials: z.boolean().optional(),
  maxAgeS: z.number().optional(),
});
const AFFINITY = z.strictObject({ cookie: z.string(), maxAgeS: z.number().nullable().optional() });
const MATCH = z.strictObject({
  backend: z.string(),
  header: z.string().optional(),
  cookie: z.string().optional(),
  value: z.string().optional(),
  prefix: z.string().optional(),
  present: z.boolean().optional(),
});

const ENDPOINT = z
  .strictObject({
    backend: z.string().optional(),
    traffic: z.record(z.string(), z.number()).optional(),
    route: z.string().nullable().optional(),
    methods: z.array(z.string()).optional(),
    shadows: z.record(z.string(), z.number()).optional(),
    requestTimeoutMs: z.number().optional(),
    maxBodyBytes: z.number().optional(),
    cors: CORS.nullable().optional(),
    affinity: AFFINITY.nullable().optional(),
    matches: z.array(MATCH).nullable().optional(),
    previewHeader: z.string().nullable().optional(),
  })
  .refine(({ backend, traffic }) => (backend === undefined) !== (traffic === undefined), "needs either backend or traffic");

const FILE = z.strictObject({
  backends: z.record(z.string(), z.unknown()).nullable().optional(),
  endpoints: z.record(z.string(), z.unknown()).nullable().optional(),
});

/** What stands for a part that is wrong or not looked at, while the others are judged. */
const STAND_IN_HANDLER = { kind: "module", path: "./handlers.ts", exportName: "Handler" } as const;
const STAND_IN_TRAFFIC = [{ backend: "b", weight: 1 }] as const;

const NO_SUCH_FIELD = "there is no such field";

type Path = readonly PropertyKey[];
type Report = (path: Path, message: string) => void;

/** Reads a file. The refusal's message has a line for each mistake. `label` names the file in it. */
export function parseFile(source: string, label: string): Result<Wanted, Refusal> {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const problems: { readonly line: number; readonly text: string }[] = [];
  const report: Report = (path, message) => {
    const line = lineOf(document, lines, path);
    problems.push({ line, text: `${path.length === 0 ? "the file" : path.map(String).join(".")}: ${message}` });
  };
  for (const { pos, message } of document.errors) problems.push({ line: lines.linePos(pos[0]).line, text: message });
  const wanted = problems.length > 0 ? undefined : read(document.toJS() ?? {}, report);
  if (wanted !== undefined && problems.length === 0) return ok(wanted);
  const sorted = problems.sort((a, b) => a.line - b.line).map(({ line, text }) => `${label}:${line}: ${text}`);
  return err(fault("invalid_argument", sorted.join("\n"), { file: label }));
}

function read(value: unknown, report: Report): Wanted {
  const file = shaped(FILE, value, [], report);
  const backends = Object.entries(file?.backends ?? {}).flatMap(([name, entry]) => readBackend(name, entry, report) ?? []);
  const endpoints: EndpointSpec[] = [];
  const routes = new Map<string, string>();
  for (const [name, entry] of Object.entries(file?.endpoints ?? {})) {
    const spec = readEndpoint(name, entry, report);
    if (spec === undefined) continue;
    const { route } = spec;
    const other = route === null ? undefined : routes.get(route);
    if (other !== undefined) report(["endpoints", name, "route"], `endpoint "${other}" has this route already`);
    if (route !== null) routes.set(route, name);
    endpoints.push(spec);
  }
  return { backends, endpoints };
}

/** The value in a schema's form, without fields that do not exist; undefined where it has another. All reasons are told. */
function shaped<T>(schema: z.ZodType<T>, value: unknown, path: Path, report: Report): T | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const strangers = new Set<string>();
  for (const issue of parsed.error.issues) {
    if (issue.code !== "unrecognized_keys") report([...path, ...issue.path], issue.message);
    else if (issue.path.length === 0) for (const key of issue.keys) strangers.add(key);
    else for (const key of issue.keys) report([...path, ...issue.path, key], NO_SUCH_FIELD);
  }
  for (const key of strangers) report([...path, key], NO_SUCH_FIELD);
  // Only an object has fields too many.
  const known = Object.entries(Object(value)).filter(([key]) => !strangers.has(key));
  const rest = strangers.size === 0 ? parsed : schema.safeParse(Object.fromEntries(known));
  return rest.success ? rest.data : undefined;
}

function readBackend(name: string, entry: unknown, report: Report): BackendSpec | undefined {
  const path = ["backends", name];
  const parsed = shaped(BACKEND, entry, path, report);
  if (parsed === undefined) return undefined;
  const { handler, args = [], config = {} } = parsed;
  const input = parseHandlerInput(handler);
  if (!input.ok) report([...path, "handler"], input.error.message);
  const settings = Object.entries(config).map(([field, setting]) => [field, parseBackendConfig({ [field]: setting })] as const);
  for (const [field, setting] of settings) if (!setting.ok) report([...path, "config", field], setting.error.message);
  const sound = input.ok && settings.every(([, setting]) => setting.ok);
  // The name and the arguments can be judged without what is wrong in the rest.
  const spec = parseBackendSpec({ name, handler: input.ok ? input.value : STAND_IN_HANDLER, args, config: sound ? config : {} });
  if (!spec.ok) report(path, spec.error.message);
  return sound && spec.ok ? spec.value : undefined;
}

function readEndpoint(name: string, entry: unknown, report: Report): EndpointSpec | undefined {
  const path = ["endpoints", name];
  const parsed = shaped(ENDPOINT, entry, path, report);
  if (parsed === undefined) return undefined;
  const { backend, traffic, shadows = {}, ...rest } = parsed;
  const fields = {
    ...rest,
    traffic: Object.entries(traffic ?? { [backend ?? ""]: 1 }).map(([to, weight]) => ({ backend: to, weight })),
    shadows: Object.entries(shadows).map(([to, proportion]) => ({ backend: to, proportion })),
  };
  // Each field alone in an endpoint that is sound otherwise, so that one mistake does not hide another.
  const wrong = Object.entries(fields).flatMap(([field, value]) => {
    const alone = parseEndpointSpec({ name: "e", traffic: STAND_IN_TRAFFIC, [field]: value });
    if (alone.ok) return [];
    // The place as exactly as the refusal names it: "matches.0.value" stands below "matches".
    const exact = alone.error.details.field ?? field;
    const place = exact.startsWith(`${field}.`) ? exact.split(".") : [field === "traffic" && traffic === undefined ? "backend" : field];
    return [{ place, message: alone.error.message }];
  });
  for (const { place, message } of wrong) report([...path, ...place], message);
  const named = parseEndpointSpec({ name, traffic: STAND_IN_TRAFFIC });
  if (!named.ok) report(path, named.error.message);
  if (wrong.length > 0 || !named.ok) return undefined;
  const spec = parseEndpointSpec({ name, ...fields });
  if (!spec.ok) report(path, spec.error.message);
  return spec.ok ? spec.value : undefined;
}

/** Backends that endpoints use and that are neither asked for nor present: one line each. */
export function unknownBackends(wanted: Wanted, present: readonly { readonly name: string }[]): readonly string[] {
  const known = new Set([...wanted.backends, ...present].map(({ name }) => String(name)));
  return wanted.endpoints.flatMap((spec) =>
    backendsOf(spec)
      .filter((backend) => !known.has(backend))
      .map((backend) => `endpoints.${spec.name}: there is no backend "${backend}", neither in the file nor in the instance`),
  );
}

/** The line at which a place of the document stands, or the nearest place above it; 1 where there is none. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isScalar(node) || isMap(node) || isSeq(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line || 1;
}
