// A handle as it is held: a name, and what it asks its way for.
import { expect, test } from "@jest/globals";
import { type CallTarget, handlesOf } from "./handle.ts";

function makeHandles() {
  const asked: { readonly how: string; readonly target: CallTarget; readonly body: unknown }[] = [];
  const handle = handlesOf({
    call: async (target, body) => asked.push({ how: "call", target, body }),
    send: async (target, body) => {
      asked.push({ how: "send", target, body });
      return new Response("sent");
    },
  });
  return { handle, asked };
}

test("a handle asks for nothing until it is called", async () => {
  const { handle, asked } = makeHandles();
  const { methods } = handle("e", { shardKey: "k" });
  // As an await of it does, to see whether it is a promise.
  expect(await Promise.resolve(methods)).toBe(methods);
  expect(asked).toEqual([]);
});

test("a call goes to the endpoint with the method and key of its handle", async () => {
  const { handle, asked } = makeHandles();
  await handle("e").call("a");
  await handle("e", { method: "shout", shardKey: "k" }).send("b");
  await handle("e", { shardKey: "k" }).methods.shout?.("c");
  await handle("e").methods.constructor?.("d");
  expect(asked).toEqual([
    { how: "call", target: { endpoint: "e", method: "", shardKey: null }, body: "a" },
    { how: "send", target: { endpoint: "e", method: "shout", shardKey: "k" }, body: "b" },
    { how: "call", target: { endpoint: "e", method: "shout", shardKey: "k" }, body: "c" },
    // A plain name like any other; whether the class declares it is for its replica to say.
    { how: "call", target: { endpoint: "e", method: "constructor", shardKey: null }, body: "d" },
  ]);
});
