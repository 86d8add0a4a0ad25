// Pieces of a body laid together: the same bytes in the same order, in about as much memory as they need.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { PieceJoiner } from "./pieces.ts";

/** What lies behind the pieces of a list, in bytes. */
const memoryOf = (list: readonly Buffer[]): number =>
  [...new Set(list.map(({ buffer }) => buffer))].reduce((sum, one) => sum + one.byteLength, 0);

test("a list gives the bytes that were added, and what was taken out of it stays as it was", () => {
  const steps = fc.array(fc.oneof(fc.nat(40), fc.nat(20_000), fc.constant("take" as const), fc.constant("cut" as const)), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const joiner = new PieceJoiner();
      const list: Buffer[] = [];
      const given: Buffer[] = [];
      const taken: { readonly piece: Buffer; readonly was: Buffer }[] = [];
      const take = (piece: Buffer): void => void taken.push({ piece, was: Buffer.from(piece) });
      let next = 0;
      for (const step of all) {
        const [first] = list;
        if (step === "take") list.splice(0, 1).forEach(take);
        else if (step === "cut") {
          // As a sender does whose credit ends within a piece.
          if (first === undefined) continue;
          take(first.subarray(0, first.length >> 1));
          list[0] = first.subarray(first.length >> 1);
        } else {
          const piece = Buffer.alloc(step, next++);
          given.push(piece);
          joiner.add(list, piece);
        }
      }
      list.forEach(take);
      for (const { piece, was } of taken) if (!piece.equals(was)) return false;
      return Buffer.concat(taken.map(({ piece }) => piece)).equals(Buffer.concat(given));
    }),
  );
});

test("262,144 pieces of one byte lie in twice their bytes at most, and in few pieces", () => {
  const joiner = new PieceJoiner();
  const list: Buffer[] = [];
  for (let n = 0; n < 262_144; n++) joiner.add(list, Buffer.from([n & 255]));
  expect(list.length).toBeLessThanOrEqual(17);
  expect(memoryOf(list)).toBeLessThanOrEqual(2 * 262_144);
  expect(Buffer.concat(list).every((byte, n) => byte === (n & 255))).toBe(true);
});

test("large pieces are not copied", () => {
  const joiner = new PieceJoiner();
  const list: Buffer[] = [];
  const pieces = [0, 1, 2].map(() => Buffer.alloc(16 * 1024));
  for (const piece of pieces) joiner.add(list, piece);
  expect(list.every((piece, n) => piece === pieces[n])).toBe(true);
});
