// The loads that have a generator of their own, by name. Each is loaded when it runs; to plug one in: its name in
// FIGURE_LOAD_NAMES (model/loads.ts) and its line here.
import type { StartInstance } from "./chains/headgate.ts";
import type { FigureLoad } from "./figure-load.ts";
import type { FigureLoadName } from "./model/loads.ts";

/** What a load is made with. */
export interface FigureLoadSetting {
  /** `start` of the checkout that --before names; undefined without it. */
  readonly before: StartInstance | undefined;
}

type MakeLoad = (setting: FigureLoadSetting) => FigureLoad;

export const FIGURE_LOADS: Readonly<Record<FigureLoadName, () => Promise<MakeLoad>>> = {
  streams: async () => (await import("./streams/load.ts")).streamsLoad,
  bodies: async () => (await import("./bodies/load.ts")).bodiesLoad,
  websocket: async () => (await import("./websocket/load.ts")).websocketLoad,
  batching: async () => (await import("./batching/load.ts")).batchingLoad,
  overload: async () => (await import("./overload/load.ts")).overloadLoad,
  isolation: async () => (await import("./overload/isolation.ts")).isolationLoad,
};
