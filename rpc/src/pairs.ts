// Header fields, trailers and parameters between the two forms they have: names and values in turn, which the house keeps them
// in, and the contract's list of messages. Apart from convert.ts, as the request path needs nothing else of it.

/** Names and values in turn as the contract's list of them. */
export function pairsToProto(flat: readonly string[]): { name: string; value: string }[] {
  const list: { name: string; value: string }[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) list.push({ name: flat[i] ?? "", value: flat[i + 1] ?? "" });
  return list;
}

/** The contract's list of names and values as both in turn. */
export const pairsFromProto = (list: readonly { readonly name: string; readonly value: string }[]): string[] =>
  list.flatMap(({ name, value }) => [name, value]);
