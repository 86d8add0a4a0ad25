// The replica's end of AttachmentService: it registers, says that it is ready and how busy it is, and hears commands.
// When the stream breaks the replica goes on serving and resumes; there are no decisions here.

import { HeadgateError, LIMITS } from "@headgate/core";
import * as pb from "@headgate/proto/attachment";
import type { Exception } from "@headgate/proto/fault";
import { type GrpcStream, openStream } from "@headgate/rpc/stream";

const TARGET = { path: "/headgate.v1.AttachmentService/Attach" };
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** What the controller tells, and what the attachment asks. */
export interface AttachmentOwner {
  /** New settings. Resolves when they are in force; rejects with what reconfigure() throws. */
  configure(command: pb.Configure): Promise<Exception | undefined>;
  /** Take nothing new; resolves when nothing runs any more. After this time the process is ended, whatever runs. */
  drain(withinMs: number): Promise<void>;
  /** End now. */
  stop(reason: string): void;
  load(): { readonly inFlight: number; readonly completed: number };
}

/** The replica's stream to the controller, for its whole life. */
export class Attachment {
  readonly #boot: pb.Boot;
  readonly #owner: AttachmentOwner;
  #stream: GrpcStream | null = null;
  #registered = false;
  #resumeToken = "";
  #ready: pb.Ready | null = null;
  #failed: { readonly exception: Exception; readonly told: () => void } | null = null;
  #draining = false;
  #drained = false;
  #backoffMs = RECONNECT_MIN_MS;

  constructor(boot: pb.Boot, owner: AttachmentOwner) {
    this.#boot = boot;
    this.#owner = owner;
    this.#connect();
    setInterval(() => this.#tellLoad(), LIMITS.loadReportMs).unref();
  }

  /** The handler is constructed and the replica listens. */
  ready(ready: pb.Ready): void {
    this.#ready = ready;
    if (this.#registered) this.#say({ $case: "ready", value: ready });
  }

  /** The handler could not be constructed. Resolves when the controller knows, or cannot be told. */
  failed(exception: Exception): Promise<void> {
    return new Promise((resolve) => {
      this.#failed = { exception, told: resolve };
      if (this.#registered) this.#tellFailure();
    });
  }

  #connect(): void {
    const stream = openStream(this.#boot.controlAddress, TARGET, {
      message: (bytes) => this.#receive(pb.AttachResponse.decode(bytes)),
      end: (error) => this.#ended(error),
    });
    this.#stream = stream;
    this.#registered = false;
    const { replicaId } = this.#boot;
    if (this.#resumeToken === "") {
      this.#say({ $case: "register", value: { replicaId, joinToken: this.#boot.joinToken, pid: process.pid } });
      return;
    }
    this.#say({
      $case: "resume",
      value: { replicaId, resumeToken: this.#resumeToken, pid: process.pid, ready: this.#ready ?? undefined, draining: this.#draining },
    });
  }

  #say(kind: NonNullable<pb.AttachRequest["kind"]>): void {
    this.#stream?.send(pb.AttachRequest.encode({ kind }).finish());
  }

  #tellLoad(): void {
    if (!this.#registered || this.#ready === null) return;
    const { inFlight, completed } = this.#owner.load();
    this.#say({ $case: "load", value: { inFlight, completed: BigInt(completed), memoryBytes: BigInt(process.memoryUsage.rss()) } });
  }

  #tellFailure(): void {
    if (this.#failed === null) return;
    this.#say({ $case: "failed", value: this.#failed.exception });
    this.#stream?.finish();
  }

  #receive({ kind }: pb.AttachResponse): void {
    switch (kind?.$case) {
      case undefined:
        return;
      case "registered":
        this.#welcome(kind.value);
        return;
      case "configure":
        void this.#configure(kind.value);
        return;
      case "drain":
        void this.#drain(kind.value.timeoutMs);
        return;
      case "stop":
        this.#owner.stop("the controller said stop");
        return;
      default:
        kind satisfies never;
    }
  }

  #welcome({ resumeToken }: pb.Registered): void {
    const first = this.#resumeToken === "";
    this.#resumeToken = resumeToken;
    this.#registered = true;
    this.#backoffMs = RECONNECT_MIN_MS;
    if (this.#failed !== null) this.#tellFailure();
    else if (first && this.#ready !== null) this.#say({ $case: "ready", value: this.#ready });
    if (this.#drained) this.#say({ $case: "drained", value: {} });
    this.#tellLoad();
  }

  async #configure(command: pb.Configure): Promise<void> {
    const error = await this.#owner.configure(command);
    this.#say({ $case: "configured", value: { number: command.number, error } });
  }

  async #drain(withinMs: number): Promise<void> {
    this.#draining = true;
    await this.#owner.drain(withinMs);
    this.#drained = true;
    this.#tellLoad();
    this.#say({ $case: "drained", value: {} });
  }

  #ended(error: HeadgateError | null): void {
    this.#stream = null;
    this.#registered = false;
    if (this.#failed !== null) {
      this.#failed.told();
      return;
    }
    // The controller knows this replica no more, or never did: nobody would ever end it.
    if (error !== null && (error.code === "unauthenticated" || error.code === "permission_denied")) {
      this.#owner.stop(`the controller does not know this replica: ${error.message}`);
      return;
    }
    setTimeout(() => this.#connect(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, RECONNECT_MAX_MS);
  }
}
