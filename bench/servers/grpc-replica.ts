// A replica that is reached by one grpc-js unary Handle a request: the plain way that Session is measured against.
// Usage: node grpc-replica.ts SOCKET; it ends when its standard input does.
import { type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { type HandleRequest, type HandleResponse, ResultForm } from "@headgate/proto/replica";
import { handleMethod } from "./grpc-contract.ts";
import { work } from "./handler.ts";

const handle: handleUnaryCall<HandleRequest, HandleResponse> = (call, done) => {
  const { head, body } = call.request;
  const made = work(head?.target ?? "/", body);
  done(null, {
    head: { status: made.status, headers: [{ name: "content-type", value: made.type }], form: ResultForm.UNSPECIFIED },
    body: typeof made.body === "string" ? Buffer.from(made.body) : made.body,
    trailers: [],
  });
};

const server = new Server();
server.addService({ handle: handleMethod }, { handle });
server.bindAsync(`unix:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
process.stdin.resume().on("end", () => process.exit(0));
