// What a handle takes and gives by the type of its handler. The compiler is what tests here: a line that should not compile says so.
import { expect, test } from "@jest/globals";
import { type CallArguments, type CallResult, type Handle, type HandlerRequest, type SendOptions, batched } from "./index.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles where the two types are the same. */
const same = <_Proof extends true>(): void => expect(true).toBe(true);

type Question = { readonly text: string };
type Result<F> = CallResult<F>;

test("a call gives back what the handler returns", () => {
  same<Same<Result<() => string>, string>>();
  same<Same<Result<() => Promise<number>>, number>>();
  same<Same<Result<() => { readonly score: number }>, { readonly score: number }>>();
  same<Same<Result<() => readonly string[]>, readonly string[]>>();
  same<Same<Result<() => boolean>, boolean>>();
  same<Same<Result<() => void>, undefined>>();
  same<Same<Result<() => null>, undefined>>();
  same<Same<Result<() => Promise<string | null>>, string | undefined>>();
  same<Same<Result<() => Buffer>, Uint8Array>>();
  same<Same<Result<() => ArrayBuffer>, Uint8Array>>();
  same<Same<Result<() => Response | string>, Response | string>>();
  same<Same<Result<() => Blob>, unknown>>();
  same<Same<Result<() => unknown>, unknown>>();
});

test("a call gives back a stream as an async iterable of its items", () => {
  same<Same<Result<() => AsyncGenerator<{ readonly n: number }>>, AsyncIterable<{ readonly n: number }>>>();
  same<Same<Result<() => Generator<string>>, AsyncIterable<string>>>();
  same<Same<Result<() => ReadableStream<Buffer>>, AsyncIterable<Uint8Array>>>();
  same<Same<Result<() => Promise<AsyncIterable<string>>>, AsyncIterable<string>>>();
});

test("a call of a handler that accepts batches is a call with one body and one result", () => {
  const scores = batched(async (requests: readonly HandlerRequest<Question>[]) =>
    Promise.all(requests.map(async (request) => ((await request.json()).text === "" ? new Error("empty") : requests.length))),
  );
  same<Same<Result<typeof scores>, number>>();
  same<Same<CallArguments<typeof scores>, [body: Question, options?: SendOptions]>>();
  same<Same<Result<(requests: readonly HandlerRequest[]) => readonly (string | Promise<Error>)[]>, string>>();
});

test("a call takes the JSON body that the handler declares, and anything where it declares none", () => {
  same<Same<CallArguments<(request: HandlerRequest<Question>) => string>, [body: Question, options?: SendOptions]>>();
  same<
    Same<CallArguments<(request: HandlerRequest<Question | undefined>) => string>, [body?: Question | undefined, options?: SendOptions]>
  >();
  same<Same<CallArguments<(request: HandlerRequest) => string>, [body?: unknown, options?: SendOptions]>>();
  same<Same<CallArguments<(request: Request) => string>, [body?: unknown, options?: SendOptions]>>();
  same<Same<CallArguments<() => string>, [body?: unknown, options?: SendOptions]>>();
  // A string goes as text, which no request.json() reads.
  same<Same<CallArguments<(request: HandlerRequest<string>) => string>, [body: never, options?: SendOptions]>>();
});

test("a handle of a class calls its handle, and has its methods by name", () => {
  class Greeter {
    readonly greeting = "hello";
    handle(): string {
      return this.greeting;
    }
    async shout(request: HandlerRequest<Question>): Promise<Uint8Array> {
      return Buffer.from((await request.json()).text.toUpperCase());
    }
    /** Takes no request, so that it is none that could be called. */
    add(n: number): number {
      return n;
    }
    reconfigure(): void {}
  }
  const check = (greeter: Handle<typeof Greeter>): void => {
    greeter.call satisfies (body?: unknown, options?: SendOptions) => Promise<string>;
    greeter.methods.shout satisfies (body: Question, options?: SendOptions) => Promise<Uint8Array>;
    greeter.methods.handle satisfies () => Promise<string>;
    // @ts-expect-error: a body of another type
    void greeter.methods.shout({ txt: "x" });
    // @ts-expect-error: the body is missing
    void greeter.methods.shout();
    // @ts-expect-error: it takes no request
    void greeter.methods.add;
    // @ts-expect-error: it is not for requests
    void greeter.methods.reconfigure;
    // @ts-expect-error: there is no such method
    void greeter.methods.whisper;
  };
  expect(typeof check).toBe("function");
});

test("a request and an instance give the same handles", () => {
  const predict = async (request: HandlerRequest<Question>) => ({ score: (await request.json()).text.length });
  const check = (request: HandlerRequest): void => {
    const typed = request.handle<typeof predict>("predict");
    void (typed.call({ text: "x" }) satisfies Promise<{ score: number }>);
    void (typed.send("x") satisfies Promise<Response>);
    // @ts-expect-error: a body of another type
    void typed.call({ text: 1 });
    // @ts-expect-error: a function has no methods
    void typed.methods.shout;
    // @ts-expect-error: with a type, methods stand under methods
    request.handle<typeof predict>("predict", { method: "shout" });
    const untyped = request.handle("predict", { method: "shout", shardKey: "k" });
    void (untyped.call([1, 2]) satisfies Promise<unknown>);
    void (request.json() satisfies Promise<unknown>);
    // @ts-expect-error: what the body is was not declared
    void (request.json() satisfies Promise<Question>);
  };
  expect(typeof check).toBe("function");
  expect(typeof predict).toBe("function");
});
