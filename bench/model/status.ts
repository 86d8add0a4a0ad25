// The processes of an instance, out of its status. Its shape may grow: whatever carries a pid is a process.

/** Every pid that a status names: the controller's, the bridges', the replicas'. */
export function pidsOf(status: unknown): readonly number[] {
  const pids = new Set<number>();
  const look = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "pid" && typeof inner === "number" && inner > 0) pids.add(inner);
      else look(inner);
    }
  };
  look(status);
  return [...pids];
}
