// What decides over a request's backend before the split: the preview header, then match rules. Compiled with the table, so
// that an endpoint without either costs its requests one look at a null. Pure.

import { type EndpointSpec, type Fault, type MatchRule, fault } from "@headgate/core";
import { cookieOf } from "./cookies.ts";

/** Preview header and rules of an endpoint, compiled. */
export interface Steering<B> {
  /** Field in lower case; null: there is none. */
  readonly previewHeader: string | null;
  /** Backends of the traffic by name, those of weight 0 too. */
  readonly previews: ReadonlyMap<string, B>;
  readonly rules: readonly { readonly rule: MatchRule; readonly backend: B }[];
}

/** Where a request is steered. */
export interface Steered<B> {
  /** Null: the split decides. */
  readonly backend: B | null;
  /** What goes on to the handler. */
  readonly headers: readonly string[];
  /** Why the request goes no further; null: it does. */
  readonly refusal: Fault | null;
}

/** Compiles an endpoint's preview header and rules; null: it has neither. */
export function compileSteering<B>(spec: EndpointSpec, backends: ReadonlyMap<string, B>): Steering<B> | null {
  const { previewHeader, matches, traffic } = spec;
  if (previewHeader === null && matches.length === 0) return null;
  const previews = new Map<string, B>();
  for (const { backend } of traffic) {
    const found = backends.get(backend);
    if (found !== undefined) previews.set(backend, found);
  }
  const rules = matches.flatMap((rule) => {
    const found = backends.get(rule.backend);
    return found === undefined ? [] : [{ rule, backend: found }];
  });
  return { previewHeader, previews, rules };
}

/** Holds a request against them. `headers` are names in lower case and values in turn. */
export function steer<B>({ previewHeader, previews, rules }: Steering<B>, headers: readonly string[]): Steered<B> {
  const wanted = previewHeader === null ? null : fieldOf(headers, previewHeader);
  if (previewHeader !== null && wanted !== null) {
    const rest = withoutField(headers, previewHeader);
    const backend = previews.get(wanted);
    // A second field of the name is a second wish.
    if (backend !== undefined && rest.length === headers.length - 2) return { backend, headers: rest, refusal: null };
    return { backend: null, headers: rest, refusal: unknownPreview(previewHeader, backend === undefined ? "another" : "more than one") };
  }
  for (const { rule, backend } of rules) if (fits(rule, headers)) return { backend, headers, refusal: null };
  return { backend: null, headers, refusal: null };
}

/** Whether a request fits a rule. Of several fields of one name any will do. */
export function fits(rule: MatchRule, headers: readonly string[]): boolean {
  if ("cookie" in rule) {
    const value = cookieOf(headers, rule.cookie);
    return value !== null && passes(rule, value);
  }
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i] === rule.header && passes(rule, headers[i + 1] ?? "")) return true;
  return false;
}

function passes(rule: MatchRule, value: string): boolean {
  if ("value" in rule) return value === rule.value;
  return "prefix" in rule ? value.startsWith(rule.prefix) : true;
}

/** Value of the first field of a name; null: there is none. */
export function fieldOf(headers: readonly string[], name: string): string | null {
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i] === name) return headers[i + 1] ?? "";
  return null;
}

function withoutField(headers: readonly string[], name: string): readonly string[] {
  const rest: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i] !== name) rest.push(headers[i] ?? "", headers[i + 1] ?? "");
  return rest;
}

function unknownPreview(header: string, what: string): Fault {
  return fault("preview_unknown", `the field ${header} must name one backend of the endpoint's traffic, and names ${what}`, {
    field: header,
  });
}
