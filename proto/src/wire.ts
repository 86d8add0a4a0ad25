// The Session codec: the few messages of the request path, written and read by hand because the generated code costs
// several times as much. Everything else on any wire uses the generated code.

export { WireError } from "./wire/reader.ts";
export {
  type CancelReason,
  type RequestFrames,
  type RequestHeadInit,
  RequestHeadView,
  readRequestHead,
  readSessionRequest,
  writePing,
  writeRequestOpen,
  writeRequestPart,
  writeRequestRest,
  writeRoomAnswer,
} from "./wire/request.ts";
export {
  type EncodedHeaders,
  HeaderMemo,
  type ResponseFrames,
  encodeHeaders,
  readSessionResponse,
  writeDraining,
  writePong,
  writeResponseFault,
  writeResponseOpen,
  writeResponsePart,
  writeResponseRest,
  writeRoom,
} from "./wire/response.ts";
export { APART_BYTES, FLUSH_BYTES, GRPC_PREFIX_BYTES, WireWriter } from "./wire/writer.ts";
