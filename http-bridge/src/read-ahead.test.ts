// How much of uploads that nobody reads is read ahead, and that all of it is given back.
import { expect, test } from "@jest/globals";
import { ReadAhead } from "./read-ahead.ts";

class Upload {
  over = false;
  taken = 0;
  reads = 0;
  readOn(): void {
    this.reads++;
  }
}

/** An upload that has waited long enough to be read ahead. */
function waiting(ahead: ReadAhead): Upload {
  const upload = new Upload();
  expect(ahead.waits(upload, 10)).toBe(false);
  ahead.look();
  expect(upload.reads).toBe(0);
  ahead.look();
  return upload;
}

test("one that waits is read ahead up to its bound, and not before it has waited a while", () => {
  const ahead = new ReadAhead(100, 1_000);
  const upload = waiting(ahead);
  expect(upload.reads).toBe(1);
  expect([ahead.waits(upload, 60), ahead.waits(upload, 60)]).toEqual([true, false]);
  ahead.look();
  ahead.look();
  expect(upload.reads).toBe(1);
});

test("one of which something is taken now and then is not read ahead", () => {
  const ahead = new ReadAhead(100, 1_000);
  const upload = new Upload();
  ahead.waits(upload, 10);
  for (; upload.taken < 10; upload.taken++) ahead.look();
  expect(upload.reads).toBe(0);
  ahead.look();
  ahead.look();
  expect(upload.reads).toBe(1);
});

test("one that goes on starts anew when it waits again", () => {
  const ahead = new ReadAhead(100, 1_000);
  const upload = waiting(ahead);
  ahead.waits(upload, 100);
  ahead.goesOn(upload);
  ahead.look();
  expect([ahead.waits(upload, 10), upload.reads]).toEqual([false, 1]);
  ahead.look();
  ahead.look();
  expect([upload.reads, ahead.waits(upload, 10)]).toEqual([2, true]);
});

test("all together stay within their bound, and what one gives back another gets", () => {
  const ahead = new ReadAhead(100, 150);
  const first = waiting(ahead);
  const second = waiting(ahead);
  expect([ahead.waits(first, 60), ahead.waits(second, 60)]).toEqual([true, false]);
  const third = waiting(ahead);
  expect([third.reads, ahead.waits(third, 30)]).toEqual([1, false]);
  const fourth = waiting(ahead);
  expect(fourth.reads).toBe(0);
  first.over = true;
  ahead.look();
  ahead.look();
  expect([second.reads, third.reads, fourth.reads]).toEqual([1, 2, 1]);
});

test("those that were first leave something for those that come later, however many they are", () => {
  const ahead = new ReadAhead(4_000_000, 32_000_000);
  for (let count = 0; count < 15; count++) {
    const upload = waiting(ahead);
    expect(upload.reads).toBe(1);
    for (let piece = 0; piece < 8_000 && ahead.waits(upload, 1_000); piece++);
  }
});

test("whatever comes and goes, nothing is lost of the bound", () => {
  const ahead = new ReadAhead(100, 150);
  for (let round = 0; round < 50; round++) {
    const uploads = [waiting(ahead), waiting(ahead), waiting(ahead)];
    for (const upload of uploads) ahead.waits(upload, 40 + (round % 30));
    for (const [index, upload] of uploads.entries()) {
      if (index % 2 === 0) upload.over = true;
      else ahead.goesOn(upload);
    }
    ahead.look();
  }
  const last = waiting(ahead);
  expect([ahead.waits(last, 74), last.reads]).toEqual([true, 1]);
});
